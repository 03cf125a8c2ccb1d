// The queries of the query engine that are accesses to the table of deployments, and what a read of it shows.
"use strict";

const { untagged } = require("./graphql.js");

const DEPLOYMENTS = "LiteLLM_ProxyModelTable";
const READS = ["findMany", "findUnique", "findFirst", "aggregate", "groupBy"];

// Returns whether a query reads or writes the deployments, or neither. To lock a row is neither.
function kindOf({ modelName, action, query }) {
  if (modelName === DEPLOYMENTS) return READS.includes(action) ? "read" : "write";
  const sql = modelName === undefined ? String(query.arguments.query) : "";
  if (!sql.includes(DEPLOYMENTS) || sql.includes("FOR UPDATE")) return undefined;
  return action === "queryRaw" ? "read" : "write";
}

// Returns the ids of the deployments that a read gave, or null where it gave none: of a count, or none by id.
function idsOf(reply) {
  if (reply.data === undefined) return null;
  const answer = untagged(Object.values(reply.data)[0]);
  const rows = Array.isArray(answer) ? answer : [answer];
  const ids = rows.map((row) => row?.model_id);
  return ids.includes(undefined) ? null : ids;
}

// Returns the reply as GraphQL has it; of a read, the rows of these ids in this order, where the trial names them.
function said(reply, { alias }, rows) {
  if (reply.data === undefined) return reply;
  let answer = untagged(Object.values(reply.data)[0]);
  if (Array.isArray(rows)) {
    const all = Array.isArray(answer) ? answer : [answer];
    const seen = rows.map((id) => all.find((row) => row.model_id === id));
    answer = Array.isArray(answer) ? seen : (seen[0] ?? null);
  }
  return { data: { [alias]: answer } };
}

module.exports = { idsOf, kindOf, said };
