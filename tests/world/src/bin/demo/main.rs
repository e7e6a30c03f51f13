//! The demo of the main job: the real relay between the fakes of Mattermost and plugNmeet, all on this machine.
//!
//! Without arguments it prints the address of a page with a channel and runs until Ctrl-C. With `--script` it
//! plays the main job by itself, prints each step with its time, and exits 0 or 1.

mod panel;
mod script;
mod stage;

use std::process::ExitCode;

use clap::Parser;

/// Shows what meetrelay does, with fakes of Mattermost and plugNmeet on this machine.
#[derive(Parser)]
struct Arguments {
    /// Play the main job without a person, print each step with its time, exit 0 or 1.
    #[arg(long)]
    script: bool,
    /// The port of the page; 0 takes a free one.
    #[arg(long, default_value_t = 8065)]
    port: u16,
    /// The relay's queue: embedded, amqp://..., or rabbitmq for a broker started for the demo.
    #[arg(long, default_value = "embedded", value_name = "embedded|rabbitmq|URL")]
    queue: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = if arguments.script {
        script::play(&arguments.queue).await
    } else {
        show(arguments.port, &arguments.queue).await
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn show(port: u16, queue: &str) -> anyhow::Result<()> {
    let stage = stage::Stage::set(port, queue).await?;
    stage.chat.set_panel(panel::panel(&stage.conference));
    println!("Open {} in a browser.", stage.chat.url());
    println!(
        "Write \"meet now: weekly sync\" or \"/plugnmeet start\" there; Join and End stand beside it."
    );
    println!(
        "The relay: {}   plugNmeet: {}",
        stage.relay_url(),
        stage.conference.url()
    );
    println!("Ctrl-C ends it.");
    tokio::signal::ctrl_c().await?;
    stage.strike().await
}
