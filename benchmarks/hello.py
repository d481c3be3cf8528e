"""The least that a Flask application can answer: what HTTP and the server cost by themselves."""

from flask import Flask, Response, jsonify


def app() -> Flask:
    """Make the application: one route, one JSON object."""
    made = Flask(__name__)

    def hello() -> Response:
        return jsonify(hello="world")

    made.add_url_rule("/hello", view_func=hello, methods=["GET", "POST"])
    return made
