"""Gene programmes that clinics use."""
