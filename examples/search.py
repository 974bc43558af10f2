"""The three most similar places of a photo: python examples/search.py photo.jpg."""

import os
import sys

from place_search_client import Client, ProblemError

if len(sys.argv) != 2:
    print("Name a photo: python examples/search.py photo.jpg", file=sys.stderr)
    sys.exit(2)
server = os.environ.get("PLACE_SEARCH_SERVER", "http://127.0.0.1:8000")
with Client(server, key=os.environ.get("PLACE_SEARCH_KEY")) as client:
    try:
        reply = client.search(sys.argv[1], k=3)
    except ProblemError as problem:
        sys.exit(f"{problem} ({problem.type})")
    print(reply.match.verdict, reply.match.probability)
    for place in reply.results:
        print(place.rank, place.name, place.similarity, place.position)
