import type { ExceptionRow, NamespaceRow, OwnerRow, PolicyRow } from "../shape.ts";
import { distance, moment } from "./format.ts";
import type { Column } from "./rows.ts";

/** The columns of the tables. */

export const policyColumns: readonly Column<PolicyRow>[] = [
  { title: "Policy", value: ({ name }) => name },
  {
    title: "Violating objects",
    value: ({ audit }) => audit?.violating ?? -1,
    text: audited("violating"),
    isNumber: true,
  },
  {
    title: "Findings",
    value: ({ audit }) => audit?.violations ?? -1,
    text: audited("violations"),
    isNumber: true,
  },
  { title: "Checked", value: ({ audit }) => audit?.checked ?? -1, text: audited("checked"), isNumber: true },
  {
    title: "By exception",
    value: ({ audit }) => audit?.exempted ?? -1,
    text: audited("exempted"),
    isNumber: true,
  },
  { title: "Engine", value: ({ engine }) => engine },
  { title: "At admission", value: ({ action }) => action },
  { title: "Enforced by", value: ({ enforcedBy }) => enforcedBy },
  { title: "In force", value: inForce, text: inForce },
];

function audited(field: keyof NonNullable<PolicyRow["audit"]>): (row: PolicyRow) => string {
  return ({ audit }) => (audit === undefined ? "not audited" : String(audit[field]));
}

function inForce({ ready, message }: PolicyRow): string {
  if (ready === undefined) return "not looked at yet";
  return ready ? "yes" : `no: ${message}`;
}

export const namespaceColumns: readonly Column<NamespaceRow>[] = [
  {
    title: "Namespace",
    value: ({ name }) => name,
    text: ({ name }) => (name === "" ? "in no namespace" : name),
  },
  { title: "Violating objects", value: ({ objects }) => objects, isNumber: true },
  { title: "Findings", value: ({ violations }) => violations, isNumber: true },
];

export const ownerColumns: readonly Column<OwnerRow>[] = [
  { title: "Owner", value: ({ name }) => name },
  { title: "Kind", value: ({ kind }) => kind },
  { title: "Namespace", value: ({ namespace }) => namespace },
  { title: "Violating objects", value: ({ objects }) => objects, isNumber: true },
  { title: "Findings", value: ({ violations }) => violations, isNumber: true },
];

/** @param nowMs what the distance of an end is told from */
export function exceptionColumns(nowMs: () => number): readonly Column<ExceptionRow>[] {
  return [
    { title: "Exception", value: ({ namespace, name }) => `${namespace}/${name}` },
    {
      title: "Ends",
      value: ({ expiresAt }) => expiresAt,
      text: ({ expiresAt }) => `${moment(expiresAt)}, ${distance(expiresAt, nowMs())}`,
    },
    { title: "State", value: stateOf },
    { title: "Policies", value: ({ policies }) => policies.join(", ") },
    { title: "Owner", value: ({ owner }) => owner },
    { title: "Reason", value: ({ reason }) => reason },
    { title: "Used", value: ({ used }) => used ?? 0, isNumber: true },
    { title: "Approved by", value: ({ approvedBy }) => approvedBy ?? "" },
  ];
}

function stateOf({ state, isUnused }: ExceptionRow): string {
  const word = { active: "active", endsSoon: "ends soon", expired: "expired" }[state];
  return isUnused ? `${word}, unused` : word;
}
