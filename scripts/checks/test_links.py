"""Links between the documents resolve."""

import re
import subprocess
import unittest

from checks.rust_source import ROOT

FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that a reader's browser gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


class Links(unittest.TestCase):
    def test_links_to_files_and_headings_resolve(self):
        listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, check=True, capture_output=True, text=True)
        documents = [ROOT / name for name in listed.stdout.split()]
        self.assertTrue(documents)
        broken = []
        for document in documents:
            text = FENCE.sub("", document.read_text(encoding="utf-8"))
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                file = document.parent / path if path else document
                found = file.exists() and (
                    not anchor or file.suffix != ".md" or anchor in anchors(file.read_text(encoding="utf-8"))
                )
                if not found:
                    broken.append(f"{document.relative_to(ROOT)}: {target}")
        self.assertEqual(broken, [])
