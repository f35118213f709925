"""Figures as tables: JSON files -> Markdown between marks in the README and the cards.

`<!-- NAME:start -->` and `<!-- NAME:end -->` enclose what `update` writes there: the figures
between them are those of the files. The sentences around them are written by people, figures and
all; read them again when a file changes. Five kinds of files are read:

- `benchmarks/NAME.json` (by `semedit bench`) -> the block `bench-NAME`
- `weights/NAME/scores.json` (by `semedit eval NAME`) -> the block `scores-NAME` of its card, and a
  line of the README's block `scores`
- `training/ablation.json` (by `scripts/ablation.py`) -> the block `ablation` of TRAINING.md, and
  `sketch_ablation.json` beside it (by `scripts/sketch_ablation.py`) -> the block `sketch-ablation`
  of a card
- `weights/NAME/photos.json` and `artists.json` (by `scripts/photos.py`) -> the blocks `photos-NAME`
  and `artists-NAME` of its card
- `weights/NAME/conversion.json` (by `scripts/convert_mobilestylegan.py --check`) -> the block
  `conversion-NAME` of its card
"""

import json
import re
import statistics
from pathlib import Path
from typing import Any

from semedit_lite.hub import BUNDLED, write_beside

ROOT = BUNDLED.parent.parent  # of the repository
BENCHMARKS = ROOT / "benchmarks"
ABLATION = ROOT / "training" / "ablation.json"
SKETCH_ABLATION = ROOT / "training" / "sketch_ablation.json"

Rows = dict[str, dict[str, float | str | None]]


def markdown(rows: Rows, corner: str = "") -> str:
    """Rows of named columns -> a Markdown table; columns in the order in which they appear."""
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    lines = [[corner, *columns], ["---", *["---:"] * len(columns)]]
    lines += [[name, *(number(row.get(c)) for c in columns)] for name, row in rows.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | str | None) -> str:
    """Three decimals below 10, one below 1000, none above; a dash where there is nothing."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.{int(abs(value) < 1000)}f}"


def bench_table(report: dict[str, Any]) -> str:
    """What `semedit bench` wrote -> a table and the machine it holds for."""
    rows: Rows = {}
    for result in report["results"].values():
        unit = result["unit"]
        median, low, high = (
            f"{value:.0f}" if value >= 100 else f"{value:.3g}"
            for value in (result["median"], result["low"], result["high"])
        )
        aim = f"≤ {result['aim']:g} {unit}" if result["aim"] is not None else None
        rows[result["what"]] = {
            "median": f"{median} {unit}",
            "10 to 90 % of runs": f"{low} – {high}",
            "aim": aim,
        }
    machine = report["machine"]
    where = f"{machine['processor']}, {machine['cores']} cores, torch {machine['torch']}"
    return f"{markdown(rows)}\n\n{where}, {report['date']}."


def scores_table(scores: dict[str, Any]) -> str:
    """What `semedit eval` wrote -> tables for the card, by the kind of network."""
    if "celebamask_held_out" in scores:
        return _parser_tables(scores)
    if "own_parser" in scores:
        return _painter_tables(scores)
    if "finders" in scores:
        return _finder_tables(scores)
    if "verification" in scores:
        return _identity_table(scores)
    if "inversion" in scores:
        return _inversion_table(scores)
    if "lpips_agreement" in scores:
        return _distance_table(scores)
    if "left_out_faces" in scores:
        return _branch_tables(scores)
    if "moved" in scores:
        return _slider_tables(scores)
    if "sketched" in scores:
        return _sketch_tables(scores)
    return _generator_tables(scores)


def _parser_tables(scores: dict[str, Any]) -> str:
    sets = {key: value for key, value in scores.items() if isinstance(value, dict)}
    names = {key: key.replace("_", " ").replace("yaw ", "yaw ±") for key in sets}
    rows = {
        names[key]: {
            "photos": value["photos"],
            "accuracy": value["accuracy"],
            "mIoU": value["miou"],
            "left/right": value.get("left_right"),
            "sides exchanged in labels": value.get("exchanged_in_labels"),
            "by the parser": value.get("exchanged_by_parser"),
        }
        for key, value in sets.items()
    }
    faces = {"CelebAMask-HQ": sets["celebamask_held_out"]}
    portraits = {names[key]: value for key, value in sets.items() if key.startswith("fasseg")}
    return "\n\n".join(
        [markdown(rows, "set"), _by_class(faces), *([_by_class(portraits)] if portraits else [])]
    )


def _inversion_table(scores: dict[str, Any]) -> str:
    columns = {
        "pictures": "pictures",
        "lpips": "LPIPS ↓",
        "psnr": "PSNR, dB ↑",
        "identity": "identity by MobileFaceNet b ↑",
        "poor": "share called poor",
    }
    rows = {
        name: {columns[key]: value for key, value in row.items()}
        for name, row in scores["inversion"].items()
    }
    return markdown(rows, "256²")


def _painter_tables(scores: dict[str, Any]) -> str:
    judges = {"judge": "independent judge", "own_parser": "own parser"}
    judges = {key: name for key, name in judges.items() if key in scores}
    agreement: Rows = {}
    for key in ("painted", "references"):
        agreement[key] = {}
        for judge, name in judges.items():
            agreement[key][f"accuracy, {name}"] = scores[judge][key]["accuracy"]
            agreement[key][f"mIoU, {name}"] = scores[judge][key]["miou"]
    title = f"{scores['seeds']} evaluation seeds, {scores['size']}², random styles, raw output"
    parts = [markdown(agreement, title)]
    if "distance" in scores:
        distance = scores["distance"]
        rows: Rows = {
            key.replace("_", " "): {
                "Fréchet": value,
                "kernel × 1000": 1000 * distance["kernel"][key],
                "its deviation × 1000": 1000 * distance["kernel_deviation"][key],
            }
            for key, value in distance["frechet"].items()
        }
        parts.append(markdown(rows, f"{distance['features']} distance to other references"))
    if "styles" in scores:
        flat = {key.replace("_", " "): {"": value} for key, value in scores["styles"].items()}
        parts.append(markdown(flat, "styles"))
    judge = next(iter(judges))
    seen = {key: scores[judge][key] for key in ("painted", "references")}
    parts.append(_by_class(seen, f"IoU, {judges[judge]}"))
    if "nets" in scores:
        parts.append(_nets(scores))
        parts.append(
            "None of these nets is shipped; without them `semedit eval` gives the figures by our "
            "own parser alone, which has also made the layouts."
        )
    if "left_out" in scores:
        left = scores["left_out"]
        parts.append(f"Left out: {', '.join(left['what'])} ({left['why']})")
    return "\n\n".join(parts)


def _generator_tables(scores: dict[str, Any]) -> str:
    rows: Rows = {}
    for kind in ("one_style", "mixed_styles"):
        for size, value in scores[kind].items():
            row = rows.setdefault(f"{size.removeprefix('psnr_')}²", {})
            row[f"{kind.replace('_', ' ')}, mean dB"] = value["mean"]
            row[f"{kind.replace('_', ' ')}, lowest dB"] = value["lowest"]
    return markdown(rows, f"early pictures, {scores['faces']} faces")


def _finder_tables(scores: dict[str, Any]) -> str:
    finders = scores["finders"]
    recall: Rows = {}
    for name, groups in finders.items():
        for group, found in groups["recall"].items():
            row = recall.setdefault(group, {"photos": found["photos"], "faces": found["faces"]})
            row[f"recall, {name}"] = found["recall"]
            row[f"other boxes, {name}"] = found["false"]
    alarms: Rows = {}
    for name, groups in finders.items():
        for group, found in groups["alarms"].items():
            row = alarms.setdefault(group, {"pictures": found["pictures"]})
            row[name] = found["alarms"]
    points: Rows = {}
    for name, found in scores.get("points", {}).items():
        percent = {key: 100 * found[key] for key in ("mean", "median", "p90")}
        points[name] = {"photos": found["photos"], **percent}
    title = "pictures without a face, in how many of them one is found"
    parts = [markdown(recall, "set"), markdown(alarms, title)]
    if points:
        title = "points on celeba_wild, % of the eyes' distance from the teachers' mesh"
        parts.append(markdown(points, title))
    parts += [f"Left out: {what} ({why})." for what, why in scores["left_out"].items()]
    return "\n\n".join(parts)


def photos_table(found: dict[str, Any]) -> str:
    """What `scripts/photos.py` wrote -> a table."""
    tried = "edits" if "edits" in found else "photos"
    rows: Rows = {cause: {tried: count} for cause, count in found["causes"].items()}
    others = {key: value for key, value in found.items() if key != "causes"}
    return (
        markdown(rows, "what became of them")
        + "\n\n"
        + "; ".join(f"{key}: {number(value)}" for key, value in others.items())
        + "."
    )


def _identity_table(scores: dict[str, Any]) -> str:
    rows: Rows = {
        name.replace("_", " "): {
            "area under ROC": found["auc"],
            "accuracy": found["accuracy"],
            "at the threshold": found["threshold"],
            "mean cosine, same person": found["cosine_same"],
            "different people": found["cosine_different"],
        }
        for name, found in scores["verification"].items()
    }
    title = f"{scores['photos']} photos of {scores['people']} people: {scores['pairs_same']} pairs"
    title += f" of one person, {scores['pairs_different']:,} of two"
    return markdown(rows, title)


def _distance_table(scores: dict[str, Any]) -> str:
    groups = {key: value for key, value in scores["lpips_agreement"].items() if key != "faces"}
    rows: Rows = {
        name: {
            "pairs": found["pairs"],
            "Spearman": found["spearman"],
            "Pearson": found["pearson"],
            "mean LPIPS": found["lpips"],
            "mean of ours": found["ours"],
        }
        for name, found in groups.items()
    }
    return markdown(rows, f"{scores['lpips_agreement']['faces']} evaluation seeds, edit or size")


def _branch_tables(scores: dict[str, Any]) -> str:
    judges = {"own_parser": "our parser", "judge": "independent judge"}
    judges = {key: name for key, name in judges.items() if key in scores["unseen"]}

    def row(runs: list[dict[str, Any]]) -> dict[str, str]:
        return {
            f"{title}, {judges[judge]}": spread([run[judge][key] for run in runs])
            for judge in judges
            if judge in runs[0]
            for key, title in (("accuracy", "accuracy"), ("miou", "mIoU"))
        }

    unseen: Rows = {"the branch": row([scores["unseen"]])}
    if "parser" in scores:
        unseen["our parser"] = row([{"judge": scores["parser"]}])
    few: Rows = {
        f"{n}": {"choices": len(runs), **row(runs)} for n, runs in scores["labelled"].items()
    }
    members: Rows = {name: row([found]) for name, found in scores["members"].items()}
    doubt: Rows = {
        name: {
            "correlation with error, pixels": found["pixels"],
            "pictures": found["pictures"],
            "error": found["error"],
            "without a tenth of the pixels": found["error_without_pixels"],
            "without a tenth of the pictures": found["error_without_pictures"],
        }
        for name, found in scores["doubt"].items()
    }
    held = scores["left_out_faces"]
    sets = {"the branch": held["branch"]} | {
        f"{name}, by the parser's classes": value
        for name, value in held["by_parser_classes"].items()
    }
    left_out: Rows = {
        name: {"accuracy": value["accuracy"], "mIoU": value["miou"]} for name, value in sets.items()
    }
    parts = [
        markdown(unseen, f"{scores['seeds']} evaluation seeds"),
        markdown(few, "labelled faces"),
        markdown(members, "members"),
        markdown(doubt, "doubt of so many members"),
        markdown(left_out, f"{held['faces']} labelled faces, each left out of the training"),
        _by_class(sets),
    ]
    if "irises" in scores:
        found = scores["irises"]
        parts.append(
            f"Irises: of {found['eyes']} eyes, {100 * found['found']:.1f} % have one, whose middle "
            f"is off that of MediaPipe's by {number(found['median'])} diameters (median)."
        )
    return "\n\n".join(parts)


def _slider_tables(scores: dict[str, Any]) -> str:
    parts = []
    for name, found in scores["smile"].items():
        distance = f"Fréchet, MobileNetV2, to {found['reference']} others"
        rows: Rows = {
            way: {
                "faces": row["faces"],
                "smiling, %": 100.0 * row["smiling"],
                "probability of a smile": row["happy"],
                "mouth wider by": row["wider"],
                "identity": row["identity"],
                distance: row["frechet"],
                "face lost": row["lost"],
            }
            for way, row in found["ways"].items()
        }
        rows["other faces, as they are"] = {distance: found["floor"]}
        parts.append(markdown(rows, f"{name} that do not smile"))
    moved: Rows = {
        f"`{name}`: {row['measure']}": {
            "before": row["before"],
            **{f"change, {stand}": row["change"].get(stand) for stand in ("low", "half", "high")},
            "falls, %": None if row["falls"] is None else 100.0 * row["falls"],
            "rises, %": 100.0 * row["rises"],
            **{f"identity, {k}": row["identity"].get(k) for k in ("low", "half", "high")},
            "face lost": row["lost"],
        }
        for name, row in scores["moved"].items()
    }
    faces = max(row["faces"] for row in scores["moved"].values())
    title = f"{faces} unseen faces; slider at its low end, half way up, high end"
    left = [f"Left out: {what} ({why})" for what, why in scores["left_out"].items()]
    return "\n\n".join([*parts, markdown(moved, title), _nets(scores), *left])


def _sketch_tables(scores: dict[str, Any]) -> str:
    parts, regions, lines = [], {}, {}
    for name, found in scores["sketched"].items():
        region = found["region"]
        regions[name] = {
            "edits": found["changing"],
            "share of the picture": region["share"],
            **{f"IoU at {threshold}": iou for threshold, iou in region["iou"].items()},
            "found where nothing changes": region["idle_share"],
        }
        lines[name] = found["lines"]
        rows: Rows = {}
        for way, made in found["pictures"].items():
            row = rows[way] = {}
            for key, title in (("psnr", "PSNR, dB"), ("ssim", "SSIM"), ("lpips", "LPIPS × 100")):
                for place in ("inside", "seam", "outside"):
                    value = made[place].get(key)
                    factor = 100 if key == "lpips" and value is not None else 1
                    row[f"{title}, {place}"] = None if value is None else factor * value
            row["Fréchet, MobileNetV2"] = made.get("frechet")
        parts.append(markdown(rows, f"{found['changing']} edits of {name}, {scores['size']}²"))
    parts.insert(0, markdown(regions, "true and found region"))
    parts.append(markdown(lines, "IoU by the source of the lines"))
    if "nets" in scores:
        parts.append(_nets(scores))
    parts += [f"Left out: {what} ({why})" for what, why in scores["left_out"].items()]
    return "\n\n".join(parts)


def _nets(scores: dict[str, Any]) -> str:
    return "\n".join(f"- {name}: {what}." for name, what in scores["nets"].items())


def spread(values: list[float]) -> str:
    """The mean, and how far the values deviate where there are several."""
    text = number(statistics.mean(values))
    return text + f" ± {number(statistics.stdev(values))}" if len(values) > 1 else text


def conversion_table(found: dict[str, Any]) -> str:
    """What the check of a conversion wrote -> a table for the card."""
    rows = {
        name: {
            "largest difference": f"{found[key]['largest']:.1e}",
            "root mean square": f"{found[key]['root_mean_square']:.1e}",
        }
        for key, name in (("float32", "converted, float32"), ("stored", "as stored"))
    }
    title = f"{found['faces']} faces of 1024², in [-1, 1], to {found['runtime']}"
    return markdown(rows, title)


PAINTED = {
    "pictures": "pictures seen",
    "accuracy": "accuracy ↑",
    "miou": "mIoU ↑",
    "frechet": "Fréchet ↓",
    "own_colour": "colour to own photo ↓",
    "variety": "LPIPS between styles ↑",
}
SKETCHED = {
    "iou": "region IoU ↑",
    "share": "found share of the picture",
    "psnr": "PSNR inside the true region, dB ↑",
    "lpips": "LPIPS inside ↓",
    "colour": "mean colour inside ↓",
    "frechet": "Fréchet ↓",
}


def ablation_table(found: dict[str, Any], titles: dict[str, str] = PAINTED) -> str:
    """What `scripts/ablation.py` wrote, or `scripts/sketch_ablation.py` -> a table: each figure's
    mean over seeds, and how far it deviates between them where there are several."""
    rows: Rows = {}
    for variant, runs in found["runs"].items():
        row = rows.setdefault(variant, {"seeds": len(runs)})
        for key, title in titles.items():
            values = [run[key] for run in runs.values() if key in run]
            if key == "pictures":
                row[title] = number(round(statistics.mean(values)))
            elif values:
                row[title] = spread(values)
    return markdown(rows, f"{found['minutes']:g} minutes of one core, {found['size']}²")


def _by_class(sets: dict[str, dict[str, Any]], corner: str = "IoU") -> str:
    """Sets that hold "iou" by class -> a row for each class, a column for each set."""
    rows: Rows = {}
    for name, value in sets.items():
        for label, iou in value["iou"].items():
            rows.setdefault(label, {})[name] = iou
    return markdown(rows, corner)


def summary(scores: dict[str, dict[str, Any]]) -> str:
    """NAME -> scores.json: the README's table, one line for each network."""
    lines = {}
    for name, found in scores.items():
        if "celebamask_held_out" in found:
            best = found["celebamask_held_out"]
            text = f"accuracy {number(best['accuracy'])}, mIoU {number(best['miou'])}"
            text += f" on {best['photos']} held-out photos with human labels"
        elif "own_parser" in found:
            judge = found.get("judge", found["own_parser"])
            by = "an independent judge" if "judge" in found else "our own parser"
            accuracy = [number(judge[key]["accuracy"]) for key in ("painted", "references")]
            text = f"accuracy {accuracy[0]} by {by}; the references' own: {accuracy[1]}"
        elif "finders" in found:
            groups = found["finders"]["ours"]
            seen = [groups["recall"][name]["recall"] for name in ("celeba_wild", "collages")]
            alarms = sum(one["alarms"] for one in groups["alarms"].values())
            pictures = sum(one["pictures"] for one in groups["alarms"].values())
            text = f"recall {number(seen[0])} on head shots, {number(seen[1])} on collages; "
            text += f"{alarms} false alarms in {pictures} pictures without a face"
        elif "verification" in found:
            ours, *others = found["verification"].items()
            text = f"area under ROC {number(ours[1]['auc'])} on pairs of {found['photos']} photos; "
            text += ", ".join(f"{n.replace('_', ' ')} {number(v['auc'])}" for n, v in others)
        elif "left_out_faces" in found:
            judge = found["unseen"].get("judge", found["unseen"]["own_parser"])
            by = "an independent judge" if "judge" in found["unseen"] else "our own parser"
            text = f"mIoU {number(judge['miou'])} by {by}, from "
            text += f"{found['left_out_faces']['faces']} labelled faces"
            if "parser" in found:
                text += f"; our parser's: {number(found['parser']['miou'])}"
        elif "inversion" in found:
            *_, alone, searched = found["inversion"].values()
            text = f"identity {number(alone['identity'])} by MobileFaceNet b on "
            text += f"{alone['pictures']} photos; after a search {number(searched['identity'])}"
        elif "moved" in found:
            before, slider, *_ = found["smile"]["generated faces"]["ways"].values()
            text = f"Smile: of {slider['faces']} unseen faces {before['smiling']:.0%} smile before "
            text += f"and {slider['smiling']:.0%} after, by an expression classifier; identity "
            text += f"{number(slider['identity'])} by MobileFaceNet b"
        elif "sketched" in found:
            first, *_ = found["sketched"].values()
            text = f"region IoU {number(first['region']['iou']['0.5'])} on {first['changing']} "
            text += "made-up edits of unseen faces, from lines alone"
        elif "lpips_agreement" in found:
            every = found["lpips_agreement"]["all"]
            text = f"Spearman {number(every['spearman'])} with LPIPS on {every['pairs']:,} pairs"
        else:
            early = found["one_style"]["psnr_256"]["mean"]
            text = f"256² to the reduced 1024² picture: {early:.1f} dB"
        lines[f"[`{name}`](semedit_lite/weights/{name})"] = {"figures": text}
    return markdown(lines, "weights")


def blocks() -> dict[str, str]:
    """Name -> Markdown of every block there are figures for."""
    found = {f"bench-{path.stem}": bench_table(_read(path)) for path in BENCHMARKS.glob("*.json")}
    for path in BUNDLED.glob("*/conversion.json"):
        found[f"conversion-{path.parent.name}"] = conversion_table(_read(path))
    for path in (*BUNDLED.glob("*/photos.json"), *BUNDLED.glob("*/artists.json")):
        found[f"{path.stem}-{path.parent.name}"] = photos_table(_read(path))
    if ABLATION.is_file():
        found["ablation"] = ablation_table(_read(ABLATION))
    if SKETCH_ABLATION.is_file():
        found["sketch-ablation"] = ablation_table(_read(SKETCH_ABLATION), SKETCHED)
    scores = {path.parent.name: _read(path) for path in sorted(BUNDLED.glob("*/scores.json"))}
    if scores:
        found["scores"] = summary(scores)
    return found | {f"scores-{name}": scores_table(value) for name, value in scores.items()}


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def fill(text: str, tables: dict[str, str]) -> str:
    """`text` with what stands between the marks of each block replaced; others stay."""

    def replace(match: re.Match[str]) -> str:
        name = match[1]
        if name not in tables:
            return match[0]
        return f"<!-- {name}:start -->\n{tables[name]}\n<!-- {name}:end -->"

    return re.sub(r"<!-- ([\w-]+):start -->.*?<!-- \1:end -->", replace, text, flags=re.DOTALL)


def pages() -> list[Path]:
    """The README, TRAINING.md and the cards."""
    top = [ROOT / "README.md", ROOT / "TRAINING.md"]
    return [p for p in (*top, *sorted(BUNDLED.glob("*/README.md"))) if p.is_file()]


def update() -> None:
    """Fills the blocks of all pages from the JSON files."""
    tables = blocks()
    for page in pages():
        old = page.read_text(encoding="utf-8")
        new = fill(old, tables)
        if new != old:
            write_beside(page, lambda path, text=new: path.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    update()
