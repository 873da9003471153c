"""Units of measure as shops and shoppers write them, in families of one base unit each.

Metric and imperial units stay apart: nobody searches 106.68 cm for 42 inches.
"""

# Base unit → factor → spellings, folded (lower case, narrow).
FAMILIES: dict[str, dict[float, str]] = {
    "ml": {1: "ml 毫升", 10: "cl", 1000: "l ltr liter liters litre litres 升"},
    "floz": {1: "floz fluidounce fluidounces 液盎司", 128: "gal gallon gallons 加仑"},
    "g": {0.001: "mg 毫克", 1: "g gram grams 克", 500: "斤", 1000: "kg kgs kilo kilos 千克 公斤"},
    "oz": {1: "oz ounce ounces 盎司", 16: "lb lbs pound pounds 磅"},
    "mm": {1: "mm 毫米", 10: "cm 厘米 公分", 1000: "m meter meters metre metres 米"},
    "inch": {1: "\" '' ′′ ” in inch inches 英寸 寸", 12: "ft foot feet 英尺"},
    "gb": {0.001: "mb", 1: "gb", 1000: "tb"},
    "mah": {1: "mah 毫安时 毫安"},
    "w": {1: "w watt watts 瓦", 1000: "kw 千瓦"},
    "v": {1: "v volt volts 伏"},
}
# Spelling → factor, base unit.
UNITS: dict[str, tuple[float, str]] = {
    spelling: (factor, base)
    for base, family in FAMILIES.items()
    for factor, spellings in family.items()
    for spelling in spellings.split()
}
# A pattern of the Chinese spellings, the longest first, not where a word only begins like one: 米色, 升级.
HAN_UNIT = (
    r"(?!米[色白黄奇其]|升[级降华]|克[拉力罗]|瓦[楞片])"
    rf"(?:{'|'.join(sorted((unit for unit in UNITS if unit >= chr(0x3400)), key=len, reverse=True))})"
)


def in_base_unit(number: float, unit: str) -> tuple[float, str] | None:
    """Return the number in the base unit of a folded unit's family, and that unit; None for no known unit.

    Dots and spaces in it do not count: "fl. oz" is "floz".
    """
    known = UNITS.get(unit) or UNITS.get(unit.replace(".", "").replace(" ", ""))
    return (float(f"{number * known[0]:.10g}"), known[1]) if known else None
