"""The settings of a family, each a block of the task file under the family's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pytest_stbench.spec.part import Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_stbench.registry import Family
    from pytest_stbench.spec.rules.common import Known, Mistakes
    from pytest_stbench.spec.yaml_lines import Key


class Block(Part):
    """Base of the settings of a family; what :func:`pytest_stbench.extend.family` decorates.

    Its fields are the keys that a task file may set; without fields there is no block. A family overrides
    what its settings change. Where the defaults are no question, ``missing`` says what to write.
    """

    missing: ClassVar[str] = ""
    later: ClassVar[frozenset[str]] = frozenset()
    """Keys that came after results were kept: part of fingerprints where they are not at their default."""

    @property
    def named_signatures(self) -> frozenset[str] | None:
        """The signatures of the package that are asked by name; None for all."""
        return None

    def gene_sets(self, of_metrics: frozenset[str]) -> frozenset[str]:
        """Return the sets of genes of the package that a panel must cover, given those of the metrics."""
        return of_metrics

    @property
    def silver(self) -> bool:
        """Whether an algorithm made the truth from what models may be given."""
        return False

    @property
    def regions(self) -> str:
        """The label of the data whose classes are regions of tissue and the truth; empty where none is."""
        return ""

    @property
    def domains_of_expression(self) -> int:
        """How many clusters of each slide's expression are the truth; 0 where that is another one."""
        return 0

    def asked(self, family: Family) -> Family:
        """Return the record of the family as these settings have it: with another method, other inputs ..."""
        return family

    def files(self) -> Iterator[tuple[Key, str]]:
        """Yield (key below the block, path) of every file that the settings name."""
        yield from ()

    def mistakes(self, known: Known) -> Mistakes:
        """Yield (key below the block, message) of every contradiction.

        ``known.lacks(*key)`` and ``known.gone(*key)`` tell what could not be read of the block.
        """
        del known
        yield from ()

    def fingerprinted(self) -> dict[str, Any]:
        """Return the settings as they count in fingerprints."""
        unmoved = {
            name for name in self.later if getattr(self, name) == type(self).model_fields[name].default
        }
        return self.model_dump(exclude=unmoved)

    @classmethod
    def needed(cls) -> str:
        """Return what is to be written where a task file lacks the block; empty where its defaults do."""
        required = [name for name, field in cls.model_fields.items() if field.is_required()]
        return cls.missing or (f"give {', '.join(required)}" if required else "")
