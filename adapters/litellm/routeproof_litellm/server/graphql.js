// The GraphQL of the Python client of Prisma, read and said as the JSON protocol of its query engine.
//
// Knows nothing of deployments: a parser of the few forms that the client writes, and the types of the schema, which say
// which strings are JSON.
"use strict";

const TOKEN = /[\s,]*(?:([A-Za-z_][A-Za-z0-9_]*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|("(?:[^"\\]|\\.)*")|([{}()[\]:$!]))/y;

const ACTIONS = [
  "findMany", "findUnique", "findFirst", "createOne", "createMany", "updateOne", "updateMany", "upsertOne", "deleteOne",
  "deleteMany", "aggregate", "groupBy",
];
const RAW = ["queryRaw", "executeRaw"];

class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.next = this.token();
  }

  token() {
    TOKEN.lastIndex = this.at;
    const found = TOKEN.exec(this.text);
    if (found === null) {
      if (this.text.slice(this.at).trim() !== "") {
        throw new Error(`no GraphQL at ${this.at}: ${this.text.slice(this.at, this.at + 40)}`);
      }
      return null;
    }
    this.at = TOKEN.lastIndex;
    const [, name, number, string, mark] = found;
    if (name !== undefined) return { name };
    if (number !== undefined) return { value: Number(number) };
    if (string !== undefined) return { value: JSON.parse(string) };
    return { mark };
  }

  take() {
    const token = this.next;
    if (token === null) throw new Error("the GraphQL ends too early");
    this.next = this.token();
    return token;
  }

  expect(mark) {
    const token = this.take();
    if (token.mark !== mark) throw new Error(`\`${mark}\` is expected in the GraphQL, and not ${JSON.stringify(token)}`);
  }

  is(mark) {
    return this.next !== null && this.next.mark === mark;
  }

  name() {
    const { name } = this.take();
    if (name === undefined) throw new Error("a name is expected in the GraphQL");
    return name;
  }

  value() {
    if (this.is("{")) return this.fields("{", "}");
    if (this.is("[")) {
      this.expect("[");
      const values = [];
      while (!this.is("]")) values.push(this.value());
      this.expect("]");
      return values;
    }
    const token = this.take();
    if (token.name === "true") return true;
    if (token.name === "false") return false;
    if (token.name === "null") return null;
    // A bare name is the value of an enumeration.
    return token.name === undefined ? token.value : token.name;
  }

  fields(open, close) {
    this.expect(open);
    const fields = {};
    while (!this.is(close)) {
      let name = this.take();
      name = name.name === undefined ? String(name.value) : name.name;
      this.expect(":");
      fields[name] = this.value();
    }
    this.expect(close);
    return fields;
  }

  selection() {
    this.expect("{");
    const selection = {};
    while (!this.is("}")) {
      const name = this.name();
      const args = this.is("(") ? this.fields("(", ")") : {};
      selection[name] = this.is("{") ? { arguments: args, selection: this.selection() } : true;
    }
    this.expect("}");
    return selection;
  }

  // `query { result: findManyX(...) { ... } }`
  operation() {
    this.name();
    this.expect("{");
    const alias = this.name();
    this.expect(":");
    const name = this.name();
    const args = this.is("(") ? this.fields("(", ")") : {};
    const selection = this.is("{") ? this.selection() : {};
    this.expect("}");
    return { alias, name, arguments: args, selection };
  }
}

/// Returns the fields of each model of a schema: `{Model: {field: type}}`.
function modelsOf(schema) {
  const models = {};
  for (const [, name, body] of schema.matchAll(/^model\s+(\w+)\s*\{([\s\S]*?)^\}/gm)) {
    models[name] = {};
    for (const [, field, type] of body.matchAll(/^\s*(\w+)\s+(\w+)/gm)) models[name][field] = type;
  }
  return models;
}

/// Marks the JSON among the arguments of a model: a text there is JSON already, and would be encoded again.
function marked(models, model, value) {
  if (Array.isArray(value)) return value.map((each) => marked(models, model, each));
  if (value === null || typeof value !== "object") return value;
  const fields = {};
  for (const [name, inner] of Object.entries(value)) {
    const type = models[model]?.[name];
    if (type === "Json") fields[name] = json(inner);
    else fields[name] = marked(models, type in models ? type : model, inner);
  }
  return fields;
}

function json(value) {
  if (typeof value === "string") return { $type: "Json", value };
  if (Array.isArray(value)) return value.map(json);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, json(inner)]));
}

/// Reads an operation: `{alias, name, modelName, action, query}`, the last three in the words of the JSON protocol.
function parse(text, models) {
  const operation = new Parser(text).operation();
  const { alias, name, selection } = operation;
  if (RAW.includes(name)) {
    return { alias, name, action: name, query: { arguments: operation.arguments, selection } };
  }
  const action = ACTIONS.find((each) => name.startsWith(each) && name.slice(each.length) in models);
  if (action === undefined) throw new Error(`the GraphQL asks for \`${name}\`, which is no operation of the schema`);
  const modelName = name.slice(action.length);
  return { alias, name, modelName, action, query: { arguments: marked(models, modelName, operation.arguments), selection } };
}

/// Returns a value of the JSON protocol as the GraphQL protocol has it, without the tags of its types.
function untagged(value) {
  if (Array.isArray(value)) return value.map(untagged);
  if (value === null || typeof value !== "object") return value;
  if ("$type" in value) {
    if (value.$type === "BigInt") return Number(value.value);
    return value.value;
  }
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, untagged(inner)]));
}

module.exports = { modelsOf, parse, untagged };
