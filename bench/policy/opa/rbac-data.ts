/** Documents of the shape of role-based access control, as large as is asked for. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";

const rolesOfUser = 12;
const grantsOfRole = 20;
/** Of the text, users on one side and roles on the other; about what one of each takes. */
const userBytes = 221;
const roleBytes = 1_080;

export const rbacPackage = "bench.rbac";

export const rbacModule = `package ${rbacPackage}

default allow := false

allow if {
	some role in data.rbac.users[input.user].roles
	some grant in data.rbac.roles[role].grants
	grant.action == input.action
	grant.resource == input.resource
}
`;

export interface RbacQuestion {
  readonly user: string;
  readonly action: string;
  readonly resource: string;
}

/** How many users and roles make so many bytes: half of the text each. */
export function countsOf(bytes: number): { readonly users: number; readonly roles: number } {
  return { users: Math.floor(bytes / 2 / userBytes), roles: Math.floor(bytes / 2 / roleBytes) };
}

/** Writes the document `{"rbac": {"users": …, "roles": …}}`. Returns questions, every other one of which is allowed. */
export async function writeRbacData(path: string, bytes: number): Promise<readonly RbacQuestion[]> {
  const { users, roles } = countsOf(bytes);
  const roleName = (at: number): string => `role-${String(at % roles).padStart(8, "0")}`;
  const rolesOf = (user: number): number[] =>
    Array.from({ length: rolesOfUser }, (_, at) => (user * 7 + at * 1_009) % roles);
  const grant = (role: number, at: number) => ({
    action: at % 2 === 0 ? "read" : "write",
    resource: `service-${String((role * 31 + at) % 10_000).padStart(5, "0")}/orders`,
  });
  const stream = createWriteStream(path);
  const write = async (text: string): Promise<void> => {
    if (!stream.write(text)) await once(stream, "drain");
  };
  await write('{"rbac":{"users":{');
  for (let user = 0; user < users; user++) {
    const value = { roles: rolesOf(user).map(roleName) };
    await write(`${user === 0 ? "" : ","}"user-${String(user).padStart(8, "0")}":${JSON.stringify(value)}`);
  }
  await write('},"roles":{');
  for (let role = 0; role < roles; role++) {
    const value = { grants: Array.from({ length: grantsOfRole }, (_, at) => grant(role, at)) };
    await write(`${role === 0 ? "" : ","}"${roleName(role)}":${JSON.stringify(value)}`);
  }
  await write("}}}");
  stream.end();
  await once(stream, "finish");
  return Array.from({ length: 64 }, (_, at) => {
    const user = Math.floor((at * users) / 64);
    const role = rolesOf(user)[at % rolesOfUser] ?? 0;
    const { action, resource } = grant(role, at % grantsOfRole);
    return {
      user: `user-${String(user).padStart(8, "0")}`,
      action,
      resource: at % 2 === 0 ? resource : `${resource}/nowhere`,
    };
  });
}
