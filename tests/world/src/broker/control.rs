//! A way into the broker that stays open: an Erlang node that evaluates expressions there.
//!
//! rabbitmqctl boots an Erlang of its own each time; a virtual host for every test is cheap this way (10 ms).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::place::Conversation;

/// How long one expression may take.
const EVAL_LIMIT: Duration = Duration::from_secs(60);
/// Reads expressions line by line, has the broker evaluate them, and prints one line for each. It ends with its
/// input, that is with us.
const LOOP: &str = r#"
Node = list_to_atom(hd(init:get_plain_arguments())),
Evaluate = fun(Line) ->
    {ok, Tokens, _} = erl_scan:string(Line),
    {ok, Expressions} = erl_parse:parse_exprs(Tokens),
    case rpc:call(Node, erl_eval, exprs, [Expressions, []], 55000) of
        {value, Value, _} -> {"ok", Value};
        Other -> {"error", Other}
    end
end,
Loop = fun Loop() ->
    case io:get_line("") of
        Line when is_list(Line) ->
            {Word, Term} = try Evaluate(Line) catch _:Reason -> {"error", Reason} end,
            io:format("~s ~0tp~n", [Word, Term]),
            Loop();
        _ -> halt(0)
    end
end,
Loop().
"#;

/// A handle; clones share one node.
#[derive(Clone)]
pub(super) struct Control {
    place: Arc<Conversation>,
    node: Arc<Mutex<Option<Node>>>,
}

/// An Erlang binary of this text.
pub(super) fn binary(text: &str) -> String {
    let numbers: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
    format!("<<{}>>", numbers.join(","))
}

impl Control {
    pub(super) fn new(place: &Conversation) -> Self {
        Self {
            place: Arc::new(place.clone()),
            node: Arc::new(Mutex::new(None)),
        }
    }

    /// Evaluates one expression in the broker and gives the printed value. Blocks.
    pub(super) fn eval(&self, expression: &str) -> Result<String, String> {
        let mut node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        if node.is_none() {
            *node = Some(Node::start(&self.place)?);
        }
        let line = expression.replace('\n', " ");
        let answer = node.as_mut().map(|node| node.ask(&line));
        let Some(Ok(answer)) = answer else {
            // What comes late would be taken for the next answer.
            *node = None;
            return Err(format!("no answer within {EVAL_LIMIT:?}"));
        };
        match answer.split_once(' ') {
            Some(("ok", value)) => Ok(value.to_owned()),
            _ => Err(answer),
        }
    }
}

struct Node {
    child: Child,
    input: ChildStdin,
    answers: Receiver<String>,
}

impl Node {
    fn start(place: &Conversation) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("erl cannot be started: {error}");
        let name = format!("control-{}@localhost", uuid::Uuid::new_v4().simple());
        let mut child = Command::new("erl")
            .args(["-noshell", "-hidden", "-sname", &name])
            .args(super::place::ON_LOOPBACK.split(' '))
            .args(["-eval", LOOP, "-extra", &place.node])
            .envs(place.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("erl has no pipes".to_owned());
        };
        let (tell, answers) = sync_channel(1);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            input,
            answers,
        })
    }

    fn ask(&mut self, line: &str) -> Result<String, String> {
        let text = format!("{line}.\n");
        self.input
            .write_all(text.as_bytes())
            .map_err(|error| error.to_string())?;
        self.answers
            .recv_timeout(EVAL_LIMIT)
            .map_err(|error| error.to_string())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail only for a process that has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
