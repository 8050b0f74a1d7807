//! The servers, each with the settings it needs to log what it reads and to serve a folder of files.
//! Knows nothing of gates or of what may be read.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{Folder, eventually};

/// What a real API may stand on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Node,
    /// The server of Python's library.
    Python,
    Gunicorn,
    Uvicorn,
    Nginx,
    Apache,
}

impl Kind {
    fn program(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python3",
            Self::Gunicorn => "gunicorn",
            Self::Uvicorn => "uvicorn",
            Self::Nginx => "nginx",
            Self::Apache => "apache2",
        }
    }

    pub(super) fn serves_files(self) -> bool {
        matches!(self, Self::Nginx | Self::Apache | Self::Python)
    }
}

/// Those that this machine has; the others are named.
pub(super) fn installed() -> Vec<Kind> {
    let all = [Kind::Node, Kind::Python, Kind::Gunicorn, Kind::Uvicorn, Kind::Nginx, Kind::Apache];
    let (found, missing): (Vec<_>, Vec<_>) = all.into_iter().partition(|kind| find(kind.program()).is_some());
    if !missing.is_empty() {
        // Past the capture of output, for whoever reads a run's log.
        let _ = writeln!(std::io::stderr(), "not installed, and so not tested against: {missing:?}");
    }
    found
}

fn find(program: &str) -> Option<PathBuf> {
    let places = ["tests/sdk/node_modules/node/bin", "/usr/bin", "/usr/sbin", "/usr/local/bin"];
    places.iter().map(|place| Path::new(place).join(program)).find(|path| path.exists())
}

/// One that runs until the test ends.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    log: PathBuf,
    child: Child,
}

impl Server {
    /// A port that is free now may be taken before the server comes to it: then another is tried.
    pub(super) fn start(kind: Kind, folder: &Folder) -> Self {
        for _ in 0..5 {
            let mut server = Self::try_start(kind, folder);
            let mut has_ended = false;
            eventually(&format!("{kind:?} listens or ends"), || {
                has_ended = server.child.try_wait().unwrap().is_some();
                has_ended || TcpStream::connect(server.address).is_ok()
            });
            if !has_ended {
                return server;
            }
        }
        panic!("{kind:?} does not start: {:?}", fs::read_to_string(folder.path().join("errors")));
    }

    fn try_start(kind: Kind, folder: &Folder) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let at = folder.path();
        fs::create_dir_all(at.join("files")).unwrap();
        let log = at.join("log");
        fs::write(&log, "").unwrap();
        let program = fs::canonicalize(find(kind.program()).unwrap()).unwrap();
        let mut command = Command::new(program);
        command
            .current_dir(at)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(at.join("errors")).unwrap());
        let write = |name: &str, text: &str| {
            let text =
                text.replace("@FOLDER", at.to_str().unwrap()).replace("@PORT", &address.port().to_string());
            fs::write(at.join(name), text).unwrap();
        };
        match kind {
            Kind::Node => {
                write("server.js", NODE);
                command.arg("server.js");
            }
            Kind::Python => {
                write("server.py", PYTHON);
                command.arg("server.py");
            }
            Kind::Gunicorn => {
                write("app.py", WSGI);
                command.args([
                    "--bind",
                    &address.to_string(),
                    "--keep-alive",
                    "60",
                    "--threads",
                    "4",
                    "app:app",
                ]);
            }
            Kind::Uvicorn => {
                write("app.py", ASGI);
                let port = address.port().to_string();
                command.args(["--port", &port, "--no-access-log", "--timeout-keep-alive", "60", "app:app"]);
            }
            Kind::Nginx => {
                write("nginx.conf", NGINX);
                command.args(["-p", at.to_str().unwrap(), "-c", "nginx.conf", "-e", "errors"]);
            }
            Kind::Apache => {
                write("apache.conf", APACHE);
                command.args(["-X", "-f", at.join("apache.conf").to_str().unwrap()]);
            }
        }
        Self { address, log, child: command.spawn().unwrap() }
    }

    /// Stops it; what it logged.
    pub(super) fn stop(mut self) -> String {
        // As an orchestrator does, so that it writes what it has in hand.
        let quit = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &quit]).status().unwrap().success());
        self.child.wait().unwrap();
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const NODE: &str = "
const { createServer } = require('node:http');
const { appendFileSync } = require('node:fs');
createServer({ keepAliveTimeout: 60000 }, (request, response) => {
  const fields = [];
  for (let at = 0; at < request.rawHeaders.length; at += 2) fields.push(request.rawHeaders.slice(at, at + 2));
  appendFileSync('log', JSON.stringify({ line: `${request.method} ${request.url}`, fields }) + '\\n');
  request.on('error', () => {});
  request.resume().on('end', () => response.end('ok'));
}).listen(@PORT, '127.0.0.1');
";

const PYTHON: &str = "
import json, threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
log, lock = open('log', 'a', buffering=1), threading.Lock()
class Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args): super().__init__(*args, directory='files')
    def parse_request(self):
        good = super().parse_request()
        if good:
            with lock: log.write(json.dumps({'line': self.command + ' ' + self.requestline.split(' ')[1], 'fields': self.headers.items()}) + '\\n')
        return good
    def do_POST(self):
        length = self.headers.get('content-length')
        if length: self.rfile.read(int(length))
        self.send_response(200); self.send_header('Content-Length', '2'); self.end_headers(); self.wfile.write(b'ok')
    do_PUT = do_DELETE = do_OPTIONS = do_PATCH = do_POST
    def log_message(self, *args): pass
ThreadingHTTPServer.request_queue_size = 512
ThreadingHTTPServer(('127.0.0.1', @PORT), Handler).serve_forever()
";

const WSGI: &str = "
import json, threading
log, lock = open('log', 'a', buffering=1), threading.Lock()
def app(environ, start):
    fields = [[name[5:].replace('_', '-').lower(), value] for name, value in environ.items() if name.startswith('HTTP_')]
    with lock: log.write(json.dumps({'line': environ['REQUEST_METHOD'] + ' ' + environ['RAW_URI'], 'fields': fields}) + '\\n')
    try: environ['wsgi.input'].read()
    except Exception: pass
    start('200 OK', [('Content-Length', '2')])
    return [b'' if environ['REQUEST_METHOD'] == 'HEAD' else b'ok']
";

const ASGI: &str = "
import json
log = open('log', 'a', buffering=1)
async def app(scope, receive, send):
    if scope['type'] != 'http': return
    target = scope['raw_path'].decode('latin1') + ('?' + scope['query_string'].decode('latin1') if scope['query_string'] else '')
    fields = [[name.decode('latin1'), value.decode('latin1')] for name, value in scope['headers']]
    log.write(json.dumps({'line': scope['method'] + ' ' + target, 'fields': fields}) + '\\n')
    while True:
        message = await receive()
        if message['type'] != 'http.request': return
        if not message.get('more_body'): break
    await send({'type': 'http.response.start', 'status': 200, 'headers': [(b'content-length', b'2')]})
    await send({'type': 'http.response.body', 'body': b'ok'})
";

const NGINX: &str = r#"
daemon off; master_process off; pid nginx.pid; worker_rlimit_nofile 4096;
events { worker_connections 2048; }
http {
  log_format lines escape=json '{"line":"$request","fields":[["host","$http_host"],["x-marker","$http_x_marker"],["x-sidegate-customer","$http_x_sidegate_customer"],["x-sidegate-workspace","$http_x_sidegate_workspace"],["x-sidegate-admin","$http_x_sidegate_admin"],["x-forwarded-for","$http_x_forwarded_for"],["x-membrane-token","$http_x_membrane_token"]]}';
  # What it refuses itself (a second Authorization) it logs with the headers that it had read until then.
  map $status $is_read { 400 0; default 1; }
  access_log log lines if=$is_read;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  keepalive_timeout 60s; keepalive_requests 100000; underscores_in_headers on;
  server { listen 127.0.0.1:@PORT backlog=512; root @FOLDER/files; }
}
"#;

const APACHE: &str = r#"
ServerRoot @FOLDER
PidFile @FOLDER/apache.pid
Listen 127.0.0.1:@PORT
ServerName api.test
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
ErrorLog @FOLDER/errors
LogFormat "{\"line\":\"%r\",\"fields\":[[\"host\",\"%{Host}i\"],[\"x-marker\",\"%{X-Marker}i\"],[\"x-sidegate-customer\",\"%{X-Sidegate-Customer}i\"],[\"x-sidegate-workspace\",\"%{X-Sidegate-Workspace}i\"],[\"x-sidegate-admin\",\"%{X-Sidegate-Admin}i\"],[\"x-forwarded-for\",\"%{X-Forwarded-For}i\"],[\"x-membrane-token\",\"%{X-Membrane-Token}i\"]]}" lines
CustomLog @FOLDER/log lines
DocumentRoot @FOLDER/files
KeepAliveTimeout 60
MaxKeepAliveRequests 0
<Directory />
  Require all granted
</Directory>
"#;
