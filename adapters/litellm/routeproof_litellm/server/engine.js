// The query engine of one replica: the program that the Python client of Prisma starts, over the engine that Prisma ships as
// WebAssembly, and node-postgres.
//
// The trial is asked before and after each query of the table of deployments: it says when to go on, whether the store
// answers, whether a read is of the state before the last write, and which rows it shows. Where the trial is gone, so is
// the engine.
"use strict";

const fs = require("node:fs");
const http = require("node:http");
const net = require("node:net");
const path = require("node:path");
const readline = require("node:readline");

const { idsOf, kindOf, said } = require("./accesses.js");
const { modelsOf, parse } = require("./graphql.js");

// A transaction lasts as long as the trial holds a query of it, and waits as long for another one.
const TRANSACTION = { max_wait: 600_000, timeout: 600_000 };

if (process.argv.includes("--version")) {
  console.log("query-engine routeproof");
  process.exit(0);
}

const modules = process.env.ROUTEPROOF_NODE_MODULES;
// The schema of the database that has the deployments as they were before the last write.
const BEFORE = "before";
const required = (name) => require(require.resolve(name, { paths: [modules] }));

class Trial {
  constructor(socket) {
    this.socket = net.connect(socket);
    this.waiting = new Map();
    this.count = 0;
    this.socket.on("error", () => process.exit(1));
    this.socket.on("close", () => process.exit(0));
    readline.createInterface({ input: this.socket }).on("line", (line) => {
      const told = JSON.parse(line);
      this.waiting.get(told.number)(told);
      this.waiting.delete(told.number);
    });
    this.say({ engine: Number(process.env.ROUTEPROOF_REPLICA) });
  }

  say(message) {
    this.socket.write(`${JSON.stringify(message)}\n`);
  }

  // Returns what the trial says of an access, once it has said so.
  ask(message) {
    this.count += 1;
    const number = this.count;
    return new Promise((resolve) => {
      this.waiting.set(number, resolve);
      this.say({ ...message, number });
    });
  }
}

class Engine {
  constructor(trial) {
    this.trial = trial;
    const schema = fs.readFileSync(process.env.PRISMA_DML_PATH, "utf8");
    this.models = modelsOf(schema);
    const runtime = path.join(path.dirname(require.resolve("@prisma/client/package.json", { paths: [modules] })), "runtime");
    const glue = require(path.join(runtime, "query_engine_bg.postgresql.js"));
    const wasm = new WebAssembly.Module(fs.readFileSync(path.join(runtime, "query_engine_bg.postgresql.wasm")));
    glue.__wbg_set_wasm(new WebAssembly.Instance(wasm, { "./query_engine_bg.js": glue }).exports);
    const { Pool } = required("pg");
    const { PrismaPg } = required("@prisma/adapter-pg");
    const { bindAdapter } = required("@prisma/driver-adapter-utils");
    this.pool = new Pool({ connectionString: process.env.DATABASE_URL });
    this.pool.on("error", () => {});
    const options = {
      datamodel: schema, env: process.env, logQueries: false, ignoreEnvVarErrors: true, datasourceOverrides: {},
      logLevel: "error", configDir: ".", engineProtocol: "json",
    };
    const of = (schema) => new glue.QueryEngine(options, () => {}, bindAdapter(new PrismaPg(this.pool, { schema })));
    this.engine = of("public");
    this.before = of(BEFORE);
  }

  async connect() {
    await this.engine.connect("{}");
    await this.before.connect("{}");
  }

  // Carries out one query, and returns what GraphQL answers.
  async query(text, operation, transaction) {
    const parsed = parse(text, this.models);
    const kind = kindOf(parsed);
    const access = { operation, kind };
    const told = kind === undefined ? {} : await this.trial.ask({ ...access, at: "before" });
    let reply;
    if (told.fails) {
      reply = unreachable();
    } else {
      const { modelName, action, query } = parsed;
      const request = { action, query, ...(modelName === undefined ? {} : { modelName }) };
      const isOfBefore = kind === "read" && told.before && modelName !== undefined;
      const [engine, whole] = isOfBefore ? [this.before, undefined] : [this.engine, transaction];
      reply = JSON.parse(await engine.query(JSON.stringify(request), "{}", whole));
    }
    if (kind === undefined) return said(reply, parsed);
    const ids = kind === "read" ? idsOf(reply) : null;
    const after = await this.trial.ask({ ...access, at: "after", failed: reply.errors !== undefined, ids });
    return said(reply, parsed, after.rows);
  }

  async transaction(what, id) {
    if (what === "start") return JSON.parse(await this.engine.startTransaction(JSON.stringify(TRANSACTION), "{}"));
    const end = what === "commit" ? "commitTransaction" : "rollbackTransaction";
    return JSON.parse(await this.engine[end](id, "{}"));
  }
}

// The words of the engine where its database cannot be reached.
function unreachable() {
  const message = "Can't reach database server at `postgres`:`5432`\n\nPlease make sure your database server is running.";
  const known = { is_panic: false, message, meta: { database_host: "postgres", database_port: 5432 }, error_code: "P1001" };
  return { errors: [{ error: message, user_facing_error: known }] };
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts).toString("utf8");
}

async function answer(engine, request) {
  const text = await body(request);
  const at = request.url.split("?")[0];
  if (at === "/status") return { status: "ok" };
  if (at === "/metrics") return { counters: [], gauges: [], histograms: [] };
  const [, what, id, end] = at.split("/");
  if (what === "transaction") return engine.transaction(id === "start" ? "start" : end, id);
  const operation = request.headers["x-routeproof-operation"];
  const transaction = request.headers["x-transaction-id"];
  const asked = JSON.parse(text);
  if (asked.batch === undefined) return engine.query(asked.query, operation, transaction);
  // The statements of a batch are one transaction.
  const { id: whole } = await engine.transaction("start");
  const replies = [];
  for (const each of asked.batch) {
    const reply = await engine.query(each.query, operation, whole);
    if (reply.errors !== undefined) {
      await engine.transaction("rollback", whole);
      return reply;
    }
    replies.push(reply);
  }
  await engine.transaction("commit", whole);
  return { batchResult: replies };
}

async function main() {
  const port = Number(process.argv[process.argv.indexOf("-p") + 1]);
  const engine = new Engine(new Trial(process.env.ROUTEPROOF_CONTROL));
  await engine.connect();
  const server = http.createServer((request, response) => {
    answer(engine, request).then(
      (reply) => {
        response.setHeader("content-type", "application/json");
        response.end(JSON.stringify(reply));
      },
      (error) => {
        process.stderr.write(`query engine: ${error.stack}\n`);
        response.statusCode = 500;
        response.end(String(error.message));
      },
    );
  });
  // The client looks for `localhost`, which may be either family.
  server.listen(port, "localhost");
  for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0));
}

main().catch((error) => {
  process.stderr.write(`query engine: ${error.stack}\n`);
  process.exit(1);
});
