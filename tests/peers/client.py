"""One exchange through a client of Python's own library: what came is printed as a line of JSON and the body behind it.

client.py (http.client|urllib) BASE METHOD PATH HEADERS (whole|chunked); the body is read from standard input.
"""

import http.client
import json
import sys
import urllib.error
import urllib.request

library, base, method, path, headers, framing = sys.argv[1:]
headers = json.loads(headers)
body = sys.stdin.buffer.read() or None
pieces = (body[at : at + 65536] for at in range(0, len(body or b""), 65536))


def with_http_client():
    connection = http.client.HTTPConnection(base.removeprefix("http://"))
    if body and framing == "chunked":
        connection.request(method, path, pieces, {**headers, "Transfer-Encoding": "chunked"}, encode_chunked=True)
    else:
        connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def with_urllib():
    data = pieces if body and framing == "chunked" else body
    request = urllib.request.Request(base + path, data, headers, method=method)
    if body:
        request.add_header("Content-Type", "application/octet-stream")
    try:
        response = urllib.request.urlopen(request)
    except urllib.error.HTTPError as error:
        response = error
    return response.status, response.headers, response.read()


status, fields, answer = with_http_client() if library == "http.client" else with_urllib()
told = {"status": status}
if "X-Sidegate-Rejection" in fields:
    told["code"] = fields["X-Sidegate-Rejection"]
sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + answer)
