/** What TLS to the API server needs. All PEM. */
export interface TlsMaterial {
  /** Trusted CAs; without it, Node's own list. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Name to verify instead of the URL's host. */
  readonly serverName?: string;
  /** Only ever true when the kubeconfig says `insecure-skip-tls-verify: true`. */
  readonly insecureSkipVerify?: boolean;
}

/**
 * How to authenticate the next request. `tls` stays the same object while its content is unchanged: the
 * transport opens new connections exactly when it is another one.
 */
export interface ClientAuth {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

/** An identity towards one API server, kept fresh. */
export interface Credentials {
  /** Base URL; may have a path. */
  readonly server: string;
  /** Namespace of the kubeconfig's context or of the Pod. */
  readonly namespace?: string;
  /** Where they came from, for logs: `in-cluster`, or the kubeconfig's path and context. */
  readonly source: string;
  /** What to use now; reads again what may have changed. @throws CredentialsError */
  current(): ClientAuth | Promise<ClientAuth>;
  /**
   * The server answered 401: forget what is cached and read or ask again at once. Nothing is asked again when
   * `refused`, what the request went out with, has been replaced meanwhile. @throws CredentialsError
   */
  refresh(refused?: ClientAuth): Promise<void>;
}

/** Credentials that never change. */
export function staticCredentials(given: {
  server: string;
  token?: string;
  tls?: TlsMaterial;
  namespace?: string;
}): Credentials {
  const auth: ClientAuth = {
    headers: given.token === undefined ? {} : { authorization: `Bearer ${given.token}` },
    tls: given.tls ?? {},
  };
  return {
    server: given.server,
    source: "static",
    ...(given.namespace === undefined ? {} : { namespace: given.namespace }),
    current: () => auth,
    refresh: () => Promise.resolve(),
  };
}
