"""Papers: pages like a passport's, drawn and then photographed, each the same on every machine.

All that varies comes from a seed. Nothing here is a person, and no font or picture is read from the machine.
"""

import random
from dataclasses import dataclass
from io import BytesIO

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

PAGE = (1500, 1056)  # 125 x 88 mm, as ICAO 9303 has it, at 12 pixels a millimetre
MRZ_LEFT, MRZ_TOP, MRZ_PITCH, MRZ_LEADING = 76, 880, 30.6, 76  # 2.54 mm a character
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
DIGITS = "0123456789"
SURNAMES = ["MUSTERMANN", "OYELARAN", "KIM", "DE LA CRUZ", "PETROVA", "SMITH", "NGUYEN", "HAUGLAND"]
NAMES = ["ERIKA", "TUNDE AYO", "MIN JI", "MARIA", "ANNA", "JOHN", "THI HOA", "KARI"]

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Page:
    """A drawn page and what stands in its machine-readable zone."""

    image: Image.Image
    lines: tuple[str, str]


def page(person: int, *, template: int = 1, coloured: bool = True, zone: str | None = None) -> Page:
    """Draw the data page of one person, on the paper of one country (`template`), or with another zone."""
    rng, paper = random.Random(f"person {person}"), random.Random(f"template {template}")
    image = _paper(paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, PAGE[0], 96), fill=_tint(paper, 60, 150))
    draw.text((40, 24), f"PASSPORT  REPUBLIC {template}", font=_font(46), fill=(250, 250, 245))
    _portrait(image, rng, (70, 150, 480, 690))
    surname, name = rng.choice(SURNAMES), rng.choice(NAMES)
    number = rng.choice(LETTERS) + "".join(rng.choices(DIGITS, k=8))
    born, until = (f"{rng.randint(60, 99)}{rng.randint(1, 12):02}{rng.randint(1, 28):02}" for _ in range(2))
    fields = {
        "Type / Code": "P   UTO",
        "Passport No.": number,
        "Surname": surname,
        "Given names": name,
        "Date of birth": f"{born[4:]} {born[2:4]} 19{born[:2]}",
        "Date of issue / expiry": f"01 01 2022 - {until[4:]} {until[2:4]} 20{until[:2]}",
        "Place of birth": rng.choice(["UTOPIA", "ZENITH", "NEW HAVEN", "EL DORADO"]),
    }
    for row, (label, value) in enumerate(fields.items()):
        draw.text((540, 136 + row * 88), label, font=_font(20), fill=(60, 70, 90))
        draw.text((540, 160 + row * 88), value, font=_font(38), fill=(25, 25, 30))
    upper, lower = zone.split("\n") if zone else _mrz(surname, name, number, born, until, rng)
    lines = (upper, lower)
    _written(draw, lines)
    return Page(image if coloured else image.convert("L").convert("RGB"), lines)


@dataclass(frozen=True, slots=True)
class Shot:
    """How a page is photographed; the defaults are a steady hand in a lit room."""

    seed: int = 1
    size: tuple[int, int] = (2000, 1500)
    fill: float = 0.8  # how much of the frame's width the page takes
    tilt: float = 0.04  # how far corners wander, as a share of the page's width
    blur: float = 0.6  # radius in pixels, of the frame as photographed
    motion: int = 0  # length in pixels of a shake, left to right
    noise: float = 3.0  # standard deviation
    light: float = 0.85  # 1 would make white paper 255
    exposure: float = 1.0  # above 1 clips what is bright
    falloff: float = 0.25  # how much darker the far corner is
    glare: float = 0.0  # radius of a reflection on the page, as a share of its width
    cast: Colour = (255, 250, 240)  # colour of the light
    table: Colour = (96, 72, 54)


def photographed(what: Image.Image, shot: Shot) -> Image.Image:
    """Lay the page on a table and take its picture."""
    rng = random.Random(f"shot {shot.seed}")
    scene = _scene(what, shot, rng)
    light = _light(shot, rng)
    scene = ImageChops.multiply(scene, Image.merge("RGB", [light.point(_times(c / 255)) for c in shot.cast]))
    if shot.exposure != 1:
        scene = scene.point(_times(shot.exposure) * 3)
    if shot.glare:
        scene = ImageChops.screen(scene, _glare(shot, rng))
    if shot.motion:
        scene = _shaken(scene, shot.motion)
    if shot.blur:
        scene = scene.filter(ImageFilter.GaussianBlur(shot.blur))
    return _noisy(scene, shot.noise, rng) if shot.noise else scene


def jpeg(image: Image.Image, quality: int = 90, **options: object) -> bytes:
    """Encode as a phone does."""
    return encoded(image, "JPEG", quality=quality, **options)


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    """Encode as `form`."""
    file = BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def corners(shot: Shot) -> list[tuple[float, float]]:
    """Where the page's corners lie in the frame: upper left, upper right, lower right, lower left."""
    rng = random.Random(f"corners {shot.seed}")
    width = shot.size[0] * shot.fill
    height = width * PAGE[1] / PAGE[0]
    left, top = (shot.size[0] - width) / 2, (shot.size[1] - height) / 2
    around = [(left, top), (left + width, top), (left + width, top + height), (left, top + height)]
    far = shot.tilt * width
    return [(x + rng.uniform(-far, far), y + rng.uniform(-far, far)) for x, y in around]


def projection(
    source: list[tuple[float, float]], target: list[tuple[float, float]]
) -> tuple[float, float, float, float, float, float, float, float]:
    """The eight numbers of `Image.transform` that take each point of `target` to its like in `source`."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    for at in range(8):  # Gauss and Jordan
        pivot = max(range(at, 8), key=lambda row: abs(rows[row][at]))
        rows[at], rows[pivot] = rows[pivot], rows[at]
        rows[at] = [value / rows[at][at] for value in rows[at]]
        for row in range(8):
            if row != at:
                rows[row] = [a - rows[row][at] * b for a, b in zip(rows[row], rows[at], strict=True)]
    a, b, c, d, e, f, g, h = (row[8] for row in rows)
    return a, b, c, d, e, f, g, h


def page_corners() -> list[tuple[float, float]]:
    """The corners of a page as drawn."""
    return [(0.0, 0.0), (float(PAGE[0]), 0.0), (float(PAGE[0]), float(PAGE[1])), (0.0, float(PAGE[1]))]


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)  # ships inside Pillow


def _times(factor: float) -> list[int]:
    return [min(255, round(value * factor)) for value in range(256)]


def _tint(rng: random.Random, low: int, high: int) -> Colour:
    return (rng.randint(low, high), rng.randint(low, high), rng.randint(low, high))


def _paper(rng: random.Random) -> Image.Image:
    """Pale, with a guilloche."""
    image = Image.new("RGB", PAGE, _tint(rng, 205, 240))
    draw = ImageDraw.Draw(image)
    line = _tint(rng, 150, 215)
    for _ in range(60):
        x, y, r = rng.randrange(PAGE[0]), rng.randrange(PAGE[1]), rng.randrange(80, 500)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=line, width=2)
    return image


def _portrait(image: Image.Image, rng: random.Random, box: tuple[int, int, int, int]) -> None:
    draw = ImageDraw.Draw(image)
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    draw.rectangle(box, fill=_tint(rng, 190, 230))
    skin = rng.choice([(236, 200, 175), (198, 150, 115), (120, 80, 60), (224, 180, 150)])
    hair = rng.choice([(30, 22, 18), (90, 60, 30), (180, 150, 90), (60, 60, 62)])
    cx, cy = left + width * rng.uniform(0.46, 0.54), top + height * rng.uniform(0.42, 0.48)
    rx, ry = width * rng.uniform(0.22, 0.28), height * rng.uniform(0.24, 0.29)
    draw.ellipse((cx - rx * 1.25, cy - ry * 1.35, cx + rx * 1.25, cy + ry * rng.uniform(0.2, 1.2)), fill=hair)
    draw.ellipse((left, cy + ry * 1.1, right, bottom + height * 0.4), fill=_tint(rng, 20, 140))
    draw.rectangle((left, bottom, right, bottom + height * 0.42), fill=image.getpixel((left - 8, bottom)))
    draw.ellipse((cx - rx, cy - ry, cx + rx, cy + ry), fill=skin)
    for side in (-1, 1):
        ex, ey = cx + side * rx * rng.uniform(0.38, 0.46), cy - ry * 0.15
        draw.ellipse((ex - 14, ey - 8, ex + 14, ey + 8), fill=(250, 250, 250))
        draw.ellipse((ex - 6, ey - 7, ex + 6, ey + 7), fill=hair)
    draw.arc((cx - rx * 0.4, cy + ry * 0.3, cx + rx * 0.4, cy + ry * 0.6), 10, 170, fill=(150, 60, 60), width=7)


def _mrz(surname: str, name: str, number: str, born: str, until: str, rng: random.Random) -> tuple[str, str]:
    first = f"P<UTO{surname}<<{name}".replace(" ", "<").ljust(44, "<")
    digits = rng.choices(DIGITS, k=5)
    second = f"{number}{digits[0]}UTO{born}{digits[1]}F{until}{digits[2]}".ljust(42, "<") + digits[3] + digits[4]
    return first, second


def _written(draw: ImageDraw.ImageDraw, lines: tuple[str, str]) -> None:
    font = _font(42)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            centre = MRZ_LEFT + (column + 0.5) * MRZ_PITCH
            draw.text((centre, MRZ_TOP + row * MRZ_LEADING), letter, font=font, fill=(15, 15, 18), anchor="mm")


def _scene(what: Image.Image, shot: Shot, rng: random.Random) -> Image.Image:
    scene = Image.new("RGB", shot.size, shot.table)
    draw = ImageDraw.Draw(scene)
    for _ in range(40):  # the grain of the wood
        y, shade = rng.randrange(shot.size[1]), rng.randint(-14, 14)
        draw.line((0, y, shot.size[0], y + rng.randint(-30, 30)), fill=_shifted(shot.table, shade), width=5)
    numbers = projection(page_corners(), corners(shot))
    covers = Image.new("L", what.size, 255).transform(shot.size, Image.Transform.PERSPECTIVE, numbers)
    small = max(1.0, PAGE[0] / (shot.size[0] * shot.fill))  # a lens blurs what it makes small
    soft = what.filter(ImageFilter.GaussianBlur(small * 0.4)) if small > 1.2 else what
    laid = soft.transform(shot.size, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BICUBIC)
    scene.paste(laid, mask=covers)
    return scene


def _shifted(colour: Colour, by: int) -> Colour:
    red, green, blue = (max(0, min(255, channel + by)) for channel in colour)
    return red, green, blue


def _light(shot: Shot, rng: random.Random) -> Image.Image:
    """Brightest in one corner."""
    near, far = 255 * shot.light, 255 * shot.light * (1 - shot.falloff)
    values = [near, (near + far) / 2, (near + far) / 2, far]
    turned = rng.randrange(4)
    small = Image.new("L", (2, 2))
    small.putdata([min(255, round(value)) for value in values[turned:] + values[:turned]])
    return small.resize(shot.size, Image.Resampling.BICUBIC)


def _glare(shot: Shot, rng: random.Random) -> Image.Image:
    """A lamp mirrored by the laminate: white in its middle, then fading."""
    width = shot.size[0] * shot.fill
    x, y = shot.size[0] * rng.uniform(0.35, 0.65), shot.size[1] * rng.uniform(0.4, 0.6)
    radius = shot.glare * width
    spot = Image.new("L", shot.size)
    ImageDraw.Draw(spot).ellipse((x - radius, y - radius * 0.8, x + radius, y + radius * 0.8), fill=255)
    spot = spot.filter(ImageFilter.GaussianBlur(radius * 0.15))
    return Image.merge("RGB", [spot] * 3)


def _shaken(image: Image.Image, length: int) -> Image.Image:
    """The mean of the picture at several places of the shake."""
    result = image
    steps = range(1, length)
    for count, step in enumerate(steps, start=2):
        result = Image.blend(result, ImageChops.offset(image, step, 0), 1 / count)
    return result


def _noisy(image: Image.Image, deviation: float, rng: random.Random) -> Image.Image:
    """Add noise; the mean of four even bytes comes near enough to a bell."""
    width, height = image.size
    layers = [Image.frombytes("RGB", (width, height), rng.randbytes(width * height * 3)) for _ in range(2)]
    grain = ImageChops.add(*layers, scale=2)
    scale = deviation / 52  # of the mean of two even bytes
    centred = grain.point([round((value - 127.5) * scale + 128) for value in range(256)] * 3)
    return ImageChops.add(image, centred, offset=-128)
