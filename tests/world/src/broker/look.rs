//! What lies in a broker.

use std::time::Duration;

use lapin::options::BasicGetOptions;
use lapin::{Connection, ConnectionProperties};

use super::Broker;
use super::control::binary;

/// How long reading a virtual host's messages may take.
const READ_LIMIT: Duration = Duration::from_secs(30);

impl Broker {
    /// How many messages a queue holds, delivered ones that are not acknowledged included. None without the queue.
    pub async fn depth(&self, vhost: &str, queue: &str) -> Option<u64> {
        let found = self
            .eval(&format!(
                // A quorum queue's statistics are seconds old; its own state is asked instead.
                "case rabbit_amqqueue:lookup(rabbit_misc:r({}, queue, {})) of \
                 {{ok, Queue}} -> case amqqueue:get_type(Queue) of \
                 rabbit_quorum_queue -> {{ok, {{_, Total}}, _}} = ra:leader_query(\
                 amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1), Total; \
                 _ -> proplists:get_value(messages, rabbit_amqqueue:info(Queue, [messages])) end; \
                 _ -> none end",
                binary(vhost),
                binary(queue)
            ))
            .await;
        found.parse().ok()
    }

    /// The names of a virtual host's queues.
    pub async fn queues(&self, vhost: &str) -> Vec<String> {
        let names = self
            .eval(&format!(
                "lists:flatten(lists:join(\" \", [binary_to_list(element(4, amqqueue:get_name(Queue))) \
                 || Queue <- rabbit_amqqueue:list({})]))",
                binary(vhost)
            ))
            .await;
        let names = names.trim_matches(|end| "[]\"".contains(end));
        names.split_whitespace().map(str::to_owned).collect()
    }

    /// Every message that waits in a virtual host: its queue, and its properties and body as text. They stay there.
    pub async fn messages(&self, vhost: &str) -> Vec<(String, String)> {
        let queues = self.queues(vhost).await;
        let read = read(self.url(vhost), queues);
        match tokio::time::timeout(READ_LIMIT, read).await {
            Ok(Ok(messages)) => messages,
            Ok(Err(error)) => panic!("the messages of {vhost}: {error}"),
            Err(_) => panic!("reading the messages of {vhost} took over {READ_LIMIT:?}"),
        }
    }
}

async fn read(url: String, queues: Vec<String>) -> lapin::Result<Vec<(String, String)>> {
    let mut messages = Vec::new();
    if queues.is_empty() {
        return Ok(messages);
    }
    let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    for queue in queues {
        let options = BasicGetOptions::default();
        while let Some(got) = channel.basic_get(queue.as_str().into(), options).await? {
            let body = String::from_utf8_lossy(&got.data).into_owned();
            messages.push((queue.clone(), format!("{:?}\n{body}", got.properties)));
        }
    }
    // What was read and not acknowledged goes back to its place.
    connection.close(200, "read".into()).await?;
    Ok(messages)
}
