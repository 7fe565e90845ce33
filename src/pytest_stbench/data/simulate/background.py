"""Symbols beside those of signatures and ligand-receptor pairs, so that panels can differ.

Human genes by family; they follow no programme. Approved symbols of the HUGO Gene Nomenclature
Committee.
"""

from __future__ import annotations

FAMILIES = {
    "ALDH": "1A1 1A3 1B1 2 3A1 3A2 3B1 4A1 6A1 7A1",
    "ANXA": "1 2 3 4 5 6 7 8 9 10 11 13",
    "AQP": "1 2 3 4 5 7 8 9",
    "BMP": "1 3 8A 10 15",
    "CA": "1 2 3 4 6 8 10 11 12 13 14",
    "CD": "1C 1D 2 5 7 9 14 22 33 36 37 38 48 53 55 59 63 69 79B 81 82 83 93 96 99 151 163L1 177 207 209 248",
    "CDK": "1 2 4 5 6 7 9 12",
    "CEACAM": "1 3 5 6 7 8",
    "CLDN": "1 2 3 4 5 7 8 10 11 12 15 18 23",
    "COL": "4A2 5A1 5A2 5A3 7A1 8A1 8A2 9A1 10A1 11A1 12A1 14A1 15A1 16A1 17A1 18A1 21A1 27A1",
    "CYP": "1A1 1B1 2B6 2F1 2J2 2S1 3A5 4B1 4F12 4X1 24A1 26A1 27A1",
    "DUSP": "1 2 4 5 6 8 10 14 16 23",
    "ELF": "1 2 3 5",
    "FOX": "A2 C1 D1 F1 I1 J1 M1 N4 O1 O3 Q1",
    "GATA": "1 2 3 4 6",
    "GPX": "1 2 3 4 8",
    "HDAC": "1 2 3 4 6 9",
    "HOX": "A5 A9 B2 B5 B7 C6 C10 D8 D10",
    "HSP": "A1A A4 A5 A8 A9 B8 D1 E1 H1",
    "ID": "1 2 3 4",
    "IRF": "1 2 3 4 5 6 7 8 9",
    "KLF": "2 3 4 5 6 7 9 10 12 13",
    "KLK": "1 2 3 5 6 7 8 10 11",
    "KRT": "1 2 4 6A 6B 10 13 15 16 20 23 24 78 80 81 86",
    "LY": "6D 6E 9 75 86 96",
    "MMP": "1 3 7 8 9 12 13 14 15 19 25",
    "MT": "1A 1E 1F 1G 1M 1X 2A 3",
    "MUC": "1 2 4 5AC 5B 6 12 13 15 16 20",
    "NKX": "2-1 2-2 2-5 3-1 6-1 6-2",
    "NR": "1D1 1H3 2F1 2F2 3C1 3C2 4A1 4A2 4A3 5A2",
    "PAX": "2 3 5 6 8 9",
    "PLA2G": "1B 2A 4A 4F 7 10 12A 16",
    "RAB": "3D 11A 17 25 27A 27B 31 32 38",
    "RGS": "1 2 4 10 13 16",
    "RPL": "3 4 5 6 7 8 10 11 12 13 14 15 18 19 22 23 27 28 30 31 32 34 35 37 38",
    "RPS": "2 3 4X 5 6 7 8 9 10 11 12 13 14 15 16 18 19 20 23 24 25 27 28 29",
    "RUNX": "1 2 3",
    "S100": "A1 A2 A3 A4 A6 A7 A10 A11 A12 A13 A14 A16 B P PBP",
    "SCG": "2 3 5 B1A1 B1D2 B2A1 B2A2 B3A1 B3A2",
    "SERPIN": "A1 A3 B1 B2 B3 B4 B5 B9 F1 G1 H1 I1",
    "SFRP": "2 4 5",
    "SLC": "2A3 2A4 2A6 2A12 4A1 5A5 5A6 6A14 7A2 7A5 7A8 7A11 9A3R1 12A2 18A2 26A3 26A9 34A2 38A2 40A1",
    "SOX": "2 4 6 8 9 10 11 15 17 18",
    "SPINK": "1 4 5 8",
    "TBX": "1 2 3 5 18 21",
    "TCF": "4 7 7L1 7L2 12 15 21",
    "TFF": "1 2 3",
    "TLR": "1 3 5 6 7 8 10",
    "TMEM": "37 45A 45B 52 59 100 106A 119 147 154 156 163 174 190 243",
    "TNFAIP": "1 2 3 6 8",
    "TP": "53 63 73",
    "TRIM": "8 16 22 28 29 37 47 55",
    "TSPAN": "1 4 7 8 11 13 15 19 32",
    "UGT": "1A1 2B7 2B15 2B17 8",
    "ZEB": "1 2",
}  # fmt: skip
"""Stem of a family and the ends of its symbols."""


def background_genes() -> tuple[str, ...]:
    """Return the symbols, in turn from all families."""
    columns = [[f"{stem}{end}" for end in ends.split()] for stem, ends in FAMILIES.items()]
    turns = range(max(map(len, columns)))
    return tuple(genes[turn] for turn in turns for genes in columns if turn < len(genes))
