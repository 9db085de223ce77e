/** The API server's check of who may read parameters (KEP-3488): its words quote us with the ids of our token. */
const REFUSED =
  /must have "get" permission on all objects of the referenced paramKind \(kind=([^,]*), apiVersion=([^)]*)\)/;

/** What is missing, and the remedy, where the API server says that ShieldX may not bind a policy to parameters. */
export function missingParameterRight(refusal: string): string | undefined {
  const [, kind, apiVersion] = REFUSED.exec(refusal) ?? [];
  if (kind === undefined) return undefined;
  return `ShieldX may not read the parameters: set rbac.paramKinds of the chart, or grant get on all ${apiVersion} ${kind} objects to the ServiceAccounts shieldx-operator and shieldx-webhooks`;
}
