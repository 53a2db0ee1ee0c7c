"""How dense each tissue outside the brain looks, in HU, and where the number comes from.

The ranges given to Buzug and to Prokop were read in a table compiled from both books, not in the books.
"""

AIR_HU = -1000.0
"""Air defines the scale: Hounsfield GN, 1980, Medical Physics 7:283."""

FAT_HU = -98.0
"""Fat, -100 to -50: Buzug TM, Computed Tomography, Springer 2008; under the scalp it is the purest."""

LOOSE_HU = -50.0
"""Fat with vessels and strands between deep muscles: chosen by eye."""

MUSCLE_HU = 52.0
"""Muscle without contrast, 40 to 65: Prokop M, Spiral and Multislice CT of the Body, Thieme 2003; in real slices' napes
the median is 41, fat between the fibres included."""

SKIN_HU = 40.0
"""Skin, thinner than a pixel, hence below the 60 to 70 of its composition: chosen by eye."""

GLAND_HU = 18.0
"""Parotid: gland and fat mixed, between the two: chosen by eye."""

VESSEL_HU = 46.0
"""Flowing blood, 45 to 65: Buzug 2008; at the low end, since many in hospital are anaemic."""

FLUID_HU = 12.0
"""Vitreous and cerebrospinal fluid, 0 to 15: Prokop 2003."""

CORD_HU = 34.0
"""Nervous tissue, between white (20 to 30) and grey matter (37 to 45): Buzug 2008."""

LENS_HU = 82.0
"""The lens of the eye, rich in protein: chosen by eye."""

MUCOSA_HU = 32.0
"""Swollen lining or secretions in a sinus: chosen by eye."""

CARTILAGE_HU = 90.0
"""Cartilage and discs: about 100 from their composition by Schneider U and others, 1996, Phys Med Biol 41:111."""

CORTEX_HU = 1250.0
"""Compact bone; above 700 by Buzug 2008, and rarely seen whole at a millimetre: chosen by eye in that range."""

THIN_BONE_HU = 520.0
"""Walls of sinuses and orbits, thinner than a pixel: chosen by eye."""

MARROW_HU = 220.0
"""Spongy bone of jaw, arch and vertebra, 100 to 400: chosen by eye."""

OTIC_HU = 1750.0
"""The capsule of the inner ear, the densest bone: 1,042 to 1,155 +- 360 over the lateral canal as measured with the
canal in it (Are Hounsfield Unit Measurements of Bony Absorption Changes in Cholesteatoma Helpful?, Int Arch
Otorhinolaryngol 2022), more where no canal is: chosen by eye."""

ENAMEL_HU = 2600.0
"""Crowns of teeth and their fillings: the densest tissue, up to 3,071 and beyond what is stored: chosen by eye."""

DENTINE_HU = 1500.0
"""Roots of teeth: chosen by eye."""
