"""The face finder beside other finders, on real photos, collages, and pictures without a face."""

import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Generator

from semedit_lite.data.faces import EVALUATION_SEED, face_generator
from semedit_lite.data.photos import JUDGED_FACADES, data_folder
from semedit_lite.data.textures import textures
from semedit_lite.faces.detect import find_faces
from semedit_lite.faces.parse import parse
from semedit_lite.images import load_photo, to_pil, to_tensor
from semedit_lite.labels import FACE, LabelSet
from semedit_lite.models.finder import FaceFinder
from semedit_lite.teachers import MISSING, teachers

COLLAGES = 60  # of 1 to 6 faces
SAME = 0.4  # overlap (IoU) with the reference that makes a box right
Box = tuple[float, float, float, float]
Found = list[tuple[Box, np.ndarray]]  # boxes, and points (5, 2)
Finder = Callable[[Image.Image], Found]


def score_finder(finder: FaceFinder) -> dict[str, Any]:
    """Recall, false boxes and false alarms of our finder and, as far as they are there, of others;
    how far the points lie from those of the teachers' face mesh. InputError without the photos."""
    finders: dict[str, Finder] = {"ours": ours(finder)}
    left_out = {}
    if teachers() is None:
        left_out["BlazeFace, MTCNN, points"] = MISSING
    else:
        finders |= {"BlazeFace": blazeface, "MTCNN": mtcnn}
    cascade = opencv()
    if cascade is None:
        left_out["OpenCV's cascade"] = "no OpenCV that brings one is installed"
    else:
        finders["OpenCV's cascade"] = cascade
    result: dict[str, Any] = {"left_out": left_out, "finders": {}}
    for name, find in finders.items():
        recall: dict[str, dict[str, Any]] = {}
        for group, photo, boxes in chain(celeba_wild(), collages(), fasseg()):
            row = recall.setdefault(group, {"photos": 0, "faces": 0, "found": 0, "false": 0})
            right, wrong = matched([box for box, _ in find(photo)], boxes)
            for key, value in zip(row, (1, len(boxes), right, wrong), strict=True):
                row[key] += value
        for row in recall.values():
            row["recall"] = row["found"] / row["faces"]
        alarms: dict[str, dict[str, int]] = {}
        for group, picture in faceless():
            row = alarms.setdefault(group, {"pictures": 0, "alarms": 0})
            row["pictures"] += 1
            row["alarms"] += bool(find(picture))
        result["finders"][name] = {"recall": recall, "alarms": alarms}
    if teachers() is not None:
        errors = {name: points_error(find) for name, find in finders.items()}
        result["points"] = {name: error for name, error in errors.items() if error}
    return result


def ours(finder: FaceFinder) -> Finder:
    def find(photo: Image.Image) -> Found:
        return [(face.box, np.array(face.landmarks)) for face in find_faces(photo, finder)]

    return find


def blazeface(photo: Image.Image) -> Found:
    """With a window of half the photo as well, for smaller faces."""
    faces = teachers().detect(to_tensor(photo), scales=(1.0, 0.5))[0]
    return [(tuple(face["box"].tolist()), np.zeros((0, 2))) for face in faces]


def mtcnn(photo: Image.Image) -> Found:
    least = max(20, max(photo.size) / 16)
    with torch.no_grad():
        faces = teachers().mtcnn_detect(to_tensor(photo), least)[0]
    return [(tuple(face["box"].tolist()), face["points5"].numpy()) for face in faces]


def opencv() -> Finder | None:
    """The cascade "frontalface_alt2" of OpenCV 4; version 5 brings none."""
    try:
        import cv2

        cascade = cv2.CascadeClassifier(
            str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_alt2.xml")
        )
    except (ImportError, AttributeError):
        return None

    def find(photo: Image.Image) -> Found:
        least = max(20, max(photo.size) // 16)
        grey = np.array(photo.convert("L"))
        boxes = np.reshape(cascade.detectMultiScale(grey, 1.1, 3, minSize=(least, least)), (-1, 4))
        return [((x, y, x + w, y + h), np.zeros((0, 2))) for x, y, w, h in boxes]

    return find


def matched(found: list[Box], wanted: list[Box]) -> tuple[int, int]:
    """How many of the wanted boxes were found, and how many found ones are none of them."""
    left = list(wanted)
    wrong = 0
    for box in found:
        best = max(left, key=lambda other: overlap(box, other), default=None)
        if best is not None and overlap(box, best) >= SAME:
            left.remove(best)
        else:
            wrong += 1
    return len(wanted) - len(left), wrong


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    both = max(0.0, wide) * max(0.0, high)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return both / (sum(areas) - both)


Sample = tuple[str, Image.Image, list[Box]]  # group, photo, reference boxes


def celeba_wild() -> Iterator[Sample]:
    """Head shots; their reference boxes are those of the cascade that chose these photos."""
    folder = data_folder() / "celeba_wild"
    for item in json.loads((folder / "index.json").read_text(encoding="utf-8"))["items"]:
        x, y, w, h = item["face_box"]
        yield "celeba_wild", load_photo(folder / item["file"]), [(x, y, x + w, y + h)]


def fasseg() -> Iterator[Sample]:
    """Portraits by yaw; the reference box is a square around the labelled eyes, nose and mouth."""
    folder = data_folder() / "fasseg"
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    for part, labels in (("frontal", "labels_v2"), ("multipose", "labels")):
        for item in index[part]:
            name = item["name"]
            (path,) = (folder / part / "images").glob(f"{name}.*")
            layout = np.array(Image.open(folder / part / labels / f"{name}.png"))
            y, x = np.nonzero(np.isin(layout, (3, 4, 5)))  # eyes, nose, mouth
            photo = load_photo(path)
            scale = photo.size[0] / layout.shape[1]
            low, high = np.percentile(y, 1), np.percentile(y, 99)
            side = 1.75 * (high - low)
            across = (np.percentile(x, 1) + np.percentile(x, 99)) / 2
            group = f"fasseg ±{abs(item['yaw'])}°" if "yaw" in item else "fasseg frontal"
            centre, middle = across * scale, (low + high) / 2 * scale
            half = side * scale / 2
            yield group, photo, [(centre - half, middle - half, centre + half, middle + half)]


def collages() -> Iterator[Sample]:
    """One to six heads of celeba_wild on a texture, each as a rectangle of its photo."""
    rng = np.random.default_rng(0)
    heads = list(celeba_wild())
    ground = textures(COLLAGES, 128, Generator().manual_seed(EVALUATION_SEED))
    for k in range(COLLAGES):
        count = 1 + k % 6
        columns = int(np.ceil(np.sqrt(count)))
        rows = -(-count // columns)
        cell = 720 // columns
        page = to_pil(ground[k]).resize((columns * cell, rows * cell))
        boxes = []
        for i, chosen in enumerate(rng.choice(len(heads), count, replace=False)):
            _, photo, [(x0, y0, x1, _)] = heads[chosen]
            face = x1 - x0
            reach = 0.75 * face  # around the face's box
            left, top = max(0, round(x0 - reach)), max(0, round(y0 - reach))
            right, bottom = round(x1 + reach), round(y0 + face + reach)
            right, bottom = min(photo.size[0], right), min(photo.size[1], bottom)
            tile = photo.crop((left, top, right, bottom))
            scale = cell * rng.uniform(0.5, 0.95) / max(tile.size)
            tile = tile.resize(tuple(max(1, round(n * scale)) for n in tile.size))
            at = [round(rng.uniform(0, cell - n)) for n in tile.size]
            at = (i % columns * cell + at[0], i // columns * cell + at[1])
            page.paste(tile, at)
            x, y = at[0] + (x0 - left) * scale, at[1] + (y0 - top) * scale
            boxes.append((x, y, x + face * scale, y + face * scale))
        yield "collages", page, boxes


def faceless() -> Iterator[tuple[str, Image.Image]]:
    """400 pictures without a face: facades, coloured layouts of facades and of faces, textures."""
    folder = data_folder() / "facades"
    paths = sorted((folder / "images").iterdir())
    for path in paths[:JUDGED_FACADES]:
        yield "facades", load_photo(path)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    names = [str(name) for name in index["classes"]]
    colours = LabelSet("facades", tuple(names), tuple(map(tuple, index["colours"])))
    for path in sorted((folder / "labels").iterdir())[:50]:
        layout = torch.from_numpy(np.array(Image.open(path))).long()
        yield "layouts of facades", to_pil(colours.pictures(layout[None]))
    for seed in range(EVALUATION_SEED, EVALUATION_SEED + 50):
        image, _ = face_generator().sample([seed], 256)
        yield "layouts of faces", to_pil(FACE.pictures(parse(image)))
    for picture in textures(100, 256, Generator().manual_seed(EVALUATION_SEED + 1)):
        yield "textures", to_pil(picture)


def points_error(find: Finder) -> dict[str, float] | None:
    """Mean distance to the points of the teachers' mesh on celeba_wild, in distances of the eyes;
    the median and the 90th percentile over photos. None where a finder gives no points."""
    teacher, errors = teachers(), []
    for _, photo, boxes in celeba_wild():
        image = to_tensor(photo)
        seen = teacher.detect(image, scales=(1.0, 0.5))[0]
        seen = [face for face in seen if matched([tuple(face["box"].tolist())], boxes)[0]]
        if not seen:
            continue
        with torch.no_grad():
            wanted = teacher.five_points(teacher.mesh(image, seen[0])).numpy()
        found = [points for box, points in find(photo) if matched([box], boxes)[0]]
        if found and len(found[0]) == 5:
            eyes = np.linalg.norm(wanted[0] - wanted[1])
            errors.append(np.linalg.norm(found[0] - wanted, axis=1).mean() / eyes)
    if not errors:
        return None
    return {
        "photos": len(errors),
        "mean": float(np.mean(errors)),
        "median": float(np.median(errors)),
        "p90": float(np.percentile(errors, 90)),
    }
