"""Reads an HTML page with Python's own parser, and prints its elements with their attributes, and its text.

html-parse.py FILE
"""

import json
import sys
from html.parser import HTMLParser


class Page(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.elements = []
        self.text = []

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes)])

    def handle_data(self, data):
        self.text.append(data)

    def handle_comment(self, data):
        self.elements.append(["!--", {"text": data}])


page = Page()
with open(sys.argv[1], encoding="utf-8") as file:
    page.feed(file.read())
page.close()
print(json.dumps({"elements": page.elements, "text": " ".join(" ".join(page.text).split())}))
