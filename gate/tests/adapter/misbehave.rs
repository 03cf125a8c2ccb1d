//! Adapters that misbehave, each in its own way: what this test program becomes when it is told so.
//!
//! Every process of the kind holds a shared lock on a file, so that a test can wait for all of them to be gone.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use protocol::wire::{
    DID_BYTES_MAX, LINE_BYTES_MAX, LIST_ROWS_MAX, PARAMS_BYTES_MAX, PROTOCOL_VERSION, TEXT_BYTES_MAX,
};
use protocol::{
    Answer, Candidate, Capability, Change, Changed, Dialect, Hello, InProcess, Local, Outcome, Query, Refusal, Row,
};
use serde_json::{Value, json};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The socket on which a test waits for the adapter to be up.
pub(crate) fn socket(alive: &Path) -> PathBuf {
    alive.with_extension("up")
}

/// Becomes the adapter `kind`.
pub(crate) fn main(kind: &str, alive: &Path) {
    let lock = File::create(alive).unwrap();
    lock.lock_shared().unwrap();
    // Most tests do not listen.
    let _ = UnixStream::connect(socket(alive));
    match kind {
        "exits" => {
            eprintln!("ModuleNotFoundError: No module named 'litellm'");
            std::process::exit(3);
        }
        "hangs" => hang(),
        "hangs-and-says-so" => {
            eprintln!("up");
            hang();
        }
        "hangs-deaf" => {
            // A handler that does nothing: the signals are caught and lost.
            let _signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP]).unwrap();
            hang();
        }
        "leaves-a-grandchild" => leave_a_grandchild(),
        "leaves-a-daemon" => {
            leave_a_daemon();
            serve("well");
        }
        "becomes-a-daemon" => become_a_daemon(),
        "babbles" => println!("Loading models..."),
        "babbles-on" => babble_on(),
        "one-gigabyte-line" => long_line(1 << 30),
        "endless-line" => long_line(usize::MAX),
        "cut-line" => {
            print!("{{\"id\":1,\"reply\":{{\"hel");
            io::stdout().flush().unwrap();
        }
        "no-text" => io::stdout().write_all(b"\xff\xfe\x00\n").unwrap(),
        "deep" => println!("{}", "[".repeat(1 << 19)),
        "closes-stdout" => close_stdout(),
        _ => serve(kind),
    }
    // Until the input ends, as an adapter should.
    let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}

/// Returns the command that starts this program as another kind of adapter.
fn another(kind: &str) -> Command {
    let arguments: Vec<String> = std::env::args().collect();
    let mut command = Command::new(&arguments[0]);
    command.args([&arguments[1], kind, &arguments[3]]);
    command
}

/// Starts a program and waits until it, or what it starts, says that it is up.
fn start(mut command: Command) -> Child {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut up = String::new();
    io::BufReader::new(child.stderr.take().unwrap())
        .read_line(&mut up)
        .unwrap();
    assert_eq!(up, "up\n");
    child
}

/// Ends at once, while a child of its own keeps its stdout open.
fn leave_a_grandchild() -> ! {
    start(another("hangs-and-says-so"));
    std::process::exit(0);
}

/// Starts a process that is in another session, has none of the streams, and whose parent has ended.
fn leave_a_daemon() {
    let mut command = another("becomes-a-daemon");
    command.stdin(Stdio::null()).stdout(Stdio::null());
    assert!(start(command).wait().unwrap().success());
}

fn become_a_daemon() -> ! {
    rustix::process::setsid().unwrap();
    another("hangs-and-says-so").spawn().unwrap();
    std::process::exit(0);
}

fn babble_on() -> ! {
    let mut stdout = io::stdout().lock();
    loop {
        if stdout.write_all(b"tick\n").is_err() {
            std::process::exit(0);
        }
    }
}

fn long_line(bytes: usize) {
    let chunk = vec![b'x'; 1 << 20];
    let mut stdout = io::stdout().lock();
    for _ in 0..bytes / chunk.len() {
        if stdout.write_all(&chunk).is_err() {
            return;
        }
    }
    let _ = stdout.write_all(b"\n");
}

/// Runs on with its output closed, which only another program can do without unsafe code.
fn close_stdout() {
    use std::os::unix::process::CommandExt as _;
    panic!(
        "{}",
        Command::new("/bin/sh")
            .args(["-c", "exec >&-; while read -r line; do :; done"])
            .exec()
    );
}

/// Holds rows in a list, answers by exact name on two paths, and says all that it can be asked.
#[derive(Default)]
pub(crate) struct Plain(Vec<Row>);

impl Local for Plain {
    fn describe(&self) -> Hello {
        Hello {
            protocol: PROTOCOL_VERSION,
            router: "plain".into(),
            version: "0.1.0".into(),
            capabilities: vec![Capability::Upsert, Capability::Claims, Capability::Listing],
            dialect: Dialect {
                paths: vec!["sync".into(), "async".into()],
                ..Dialect::default()
            },
        }
    }

    fn reset(&mut self, initial: &[Row]) -> Changed {
        self.0 = initial.to_vec();
        self.applied()
    }

    fn change(&mut self, change: &Change) -> Changed {
        self.0.extend_from_slice(change.rows());
        self.applied()
    }

    fn lookup(&self, query: &Query) -> Vec<Answer> {
        let named = self
            .0
            .iter()
            .filter(|row| row.model_name == query.model)
            .map(candidate)
            .collect::<Vec<_>>();
        let answer = match named.as_slice() {
            [] => Answer::Refused(Refusal::UnknownModel),
            _ => Answer::Candidates(named),
        };
        vec![answer.clone(), answer]
    }

    fn listing(&self, _team: Option<&str>) -> Vec<String> {
        self.0.iter().map(|row| row.model_name.clone()).collect()
    }

    fn claims(&self) -> Vec<String> {
        self.0.iter().map(|row| row.id.clone()).collect()
    }
}

impl Plain {
    fn applied(&self) -> Changed {
        Changed {
            outcome: Outcome::Applied,
            held: Some(self.claims()),
        }
    }
}

fn candidate(row: &Row) -> Candidate {
    Candidate {
        id: row.id.clone(),
        model: row.model.clone(),
        tag: row.tag.clone(),
    }
}

/// Serves as it should, but for the one thing that `kind` names.
fn serve(kind: &str) {
    let mut router = InProcess::new(Plain::default());
    let mut stdout = io::stdout().lock();
    for (index, line) in io::stdin().lock().lines().enumerate() {
        let line = line.unwrap() + "\n";
        let mut reply = Vec::new();
        protocol::serve(&mut router, line.as_bytes(), &mut reply).unwrap();
        let mut reply: Value = serde_json::from_slice(&reply).unwrap();
        match (kind, index) {
            ("dies-mid-batch", 1) => {
                eprintln!("Segmentation fault");
                print!("{{\"id\":2,\"reply\":{{\"runs\":[");
                stdout.flush().unwrap();
                std::process::exit(139);
            }
            ("dies-after-a-while", 40) => std::process::exit(3),
            ("dies-of-a-row", _) if line.contains("\"id\":\"d2\"") => std::process::exit(4),
            ("unknown-tags", 1..) => {
                let text = reply.to_string().replace("\"tag\":\"", "\"tag\":\"never-given-");
                reply = serde_json::from_str(&text).unwrap();
            }
            ("stops-reading", 1) => hang(),
            ("stops-reading-after-hello", 0) => {
                writeln!(stdout, "{reply}").unwrap();
                hang();
            }
            ("answers-then-exits" | "another-hello", 1) => {
                writeln!(stdout, "{reply}").unwrap();
                std::process::exit(0);
            }
            ("floods-stderr", _) => {
                for _ in 0..20_000 {
                    eprintln!("DEBUG: a line that is written for every step of every run, whatever happens");
                }
            }
            _ => spoil(kind, index, &mut reply),
        }
        writeln!(stdout, "{reply}").unwrap();
    }
}

/// Changes one thing in the reply to the hello (index 0) or to the first runs.
fn spoil(kind: &str, index: usize, reply: &mut Value) {
    let hello = &mut |path: &str, value: Value| {
        if index == 0 {
            let (parent, field) = path.rsplit_once('/').unwrap();
            reply.pointer_mut(&format!("/reply/hello{parent}")).unwrap()[field] = value;
        }
    };
    match kind {
        "old-protocol" => hello("/protocol", json!(0)),
        "nameless" => hello("/router", json!(" ")),
        "control-characters" => hello("/version", json!("1\u{1b}[31m")),
        "cannot-be-changed" => hello("/capabilities", json!(["delete"])),
        "declares-twice" => hello("/capabilities", json!(["upsert", "upsert"])),
        "same-path-twice" => hello("/dialect/paths", json!(["sync", "sync"])),
        "too-many-paths" => hello("/dialect/paths", (0..300).map(|path| json!(path.to_string())).collect()),
        "long-hello" if index == 0 => long_hello(reply),
        "long-why" => hello(
            "/dialect/extras",
            json!([{"name": "e", "why": "w".repeat(TEXT_BYTES_MAX + 1)}]),
        ),
        "long-params" => {
            let params = "p".repeat(PARAMS_BYTES_MAX - 1);
            hello("/dialect/extras", json!([{"name": "e", "why": "w", "params": params}]));
        }
        "long-characters" => hello(
            "/dialect/ids",
            json!({"chars": "a".repeat(TEXT_BYTES_MAX + 1), "max": 9}),
        ),
        "another-hello" => hello("/version", json!(std::process::id().to_string())),
        "refuses-the-hello" if index == 0 => {
            reply["reply"] = json!({"error": {"code": "unsupported", "message": "no protocol 2 here"}});
        }
        "runs-for-hello" if index == 0 => reply["reply"] = json!({"runs": []}),
        _ if index == 1 => spoil_runs(kind, reply),
        _ => {}
    }
}

/// Makes of a hello the longest line that is read, of empty lists, each of which takes many times its bytes once it is parsed.
fn long_hello(reply: &mut Value) {
    let extras = |params: Vec<Value>| json!([{"name": "e", "why": "w", "params": params}]);
    reply["reply"]["hello"]["dialect"]["extras"] = extras(vec![json!([])]);
    let room = LINE_BYTES_MAX - 1 - reply.to_string().len();
    // Each further list takes two bytes and a comma; what is left over goes into a text.
    let mut params = vec![json!([]); room / 3 - 1];
    params.push(json!("x".repeat(room % 3 + 3)));
    reply["reply"]["hello"]["dialect"]["extras"] = extras(params);
}

fn spoil_runs(kind: &str, reply: &mut Value) {
    let mut set = |path: &str, value: Value| {
        let (parent, field) = path.rsplit_once('/').unwrap();
        let parent = reply.pointer_mut(&format!("/reply/runs/0{parent}")).unwrap();
        match field.parse::<usize>() {
            Ok(index) => parent[index] = value,
            Err(_) => parent[field] = value,
        }
    };
    match kind {
        "wrong-id" => reply["id"] = json!(7),
        "hello-for-runs" => reply["reply"] = json!({"hello": Plain::default().describe()}),
        "unknown-field" => reply["time"] = json!(1),
        "long-error" => {
            reply["reply"] =
                json!({"error": {"code": "internal", "message": format!("\u{1b}[31m{}", "x".repeat(1 << 20))}});
        }
        "too-many-runs" => reply["reply"]["runs"].as_array_mut().unwrap().push(json!({
            "setup": {"outcome": "applied"}, "steps": [], "rounds": []
        })),
        "too-few-runs" => reply["reply"]["runs"] = json!([]),
        "too-few-steps" => set("/steps", json!([])),
        "wrong-step-reply" => set("/steps/0", json!({"shown": {"ids": []}})),
        "moved-router" => set("/steps/0", json!({"moved": []})),
        "no-claim" => set("/steps/0", json!({"changed": {"outcome": "applied"}})),
        "did-too-often" => set("/did", json!(["one", null])),
        "did-too-much" => set("/did", json!(["x".repeat(DID_BYTES_MAX + 1)])),
        "too-few-rounds" => set("/rounds", json!([])),
        "too-few-observations" => set("/rounds/0", json!([])),
        "too-many-observations" => set("/rounds/0", json!([{"shown": []}, {"shown": []}])),
        "too-few-answers" => set("/rounds/0/0/shown", json!([])),
        "too-few-paths" => set(
            "/rounds/0/0/shown/0",
            json!({"answers": [{"refused": "unknown_model"}]}),
        ),
        "empty-candidates" => set("/rounds/0/0/shown/0/answers/1", json!({"candidates": []})),
        "another-kind-of-answer" => set("/rounds/0/0/shown/1", json!({"ids": []})),
        "too-many-ids" => set("/rounds/0/0/shown/2", json!({"ids": vec!["d1"; LIST_ROWS_MAX + 1]})),
        "a-replica" => set("/rounds/0/0/replica", json!(0)),
        "well" | "dies-after-a-while" | "dies-of-a-row" => {}
        other => panic!("no adapter misbehaves by the name of `{other}`"),
    }
}
