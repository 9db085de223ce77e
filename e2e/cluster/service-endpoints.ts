/** The EndpointSlices of the `kubernetes` Service, where the API servers cannot keep them themselves. */
import type { ServerAddress } from "./control-plane/addresses.ts";
import type { Endpoint } from "./control-plane/endpoint.ts";
import { ClusterError } from "./errors.ts";

const slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

/** Servers on one address differ by port, and a slice has one list of ports for all its addresses: one slice each. */
export async function publishServer(api: Endpoint, index: number, server: ServerAddress): Promise<void> {
  const { status, body } = await api.send("POST", slices, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: sliceName(index),
      namespace: "default",
      labels: { "kubernetes.io/service-name": "kubernetes" },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [server.address], conditions: { ready: true } }],
    ports: [{ name: "https", port: server.port, protocol: "TCP" }],
  });
  if (status !== 201 && status !== 409) throw unexpected("POST", status, body);
}

export async function withdrawServer(api: Endpoint, index: number): Promise<void> {
  const { status, body } = await api.send("DELETE", `${slices}/${sliceName(index)}`);
  if (status !== 200 && status !== 404) throw unexpected("DELETE", status, body);
}

/** `address:port` of every ready endpoint of the `kubernetes` Service. */
export async function listedServers(api: Endpoint): Promise<string[]> {
  const { status, body } = await api.get(`${slices}?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes`);
  if (status !== 200) throw unexpected("GET", status, body);
  return addressesOf(JSON.parse(body));
}

interface SliceList {
  readonly items?: readonly {
    readonly endpoints?: readonly {
      readonly addresses: readonly string[];
      readonly conditions?: { readonly ready?: boolean };
    }[];
    readonly ports?: readonly { readonly port?: number }[];
  }[];
}

export function addressesOf(list: SliceList): string[] {
  const found: string[] = [];
  for (const slice of list.items ?? []) {
    for (const endpoint of slice.endpoints ?? []) {
      if (endpoint.conditions?.ready === false) continue;
      for (const address of endpoint.addresses) {
        for (const { port } of slice.ports ?? []) found.push(`${address}:${port}`);
      }
    }
  }
  return found;
}

function sliceName(index: number): string {
  return index === 0 ? "kubernetes" : `kubernetes-${index + 1}`;
}

function unexpected(method: string, status: number, body: string): ClusterError {
  return new ClusterError("COMMAND_FAILED", `${method} ${slices}: status ${status}: ${body.slice(0, 500)}`);
}
