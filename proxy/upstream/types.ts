/** What others see of one upstream: what it is asked, and what it answers. */
import type { Readable } from 'node:stream';
import type { BodyRoom } from './body-room.ts';
import type { UpstreamError } from './errors.ts';
import type { UpstreamHeaders } from './headers.ts';

/** An account at an upstream; the password is read each time it is shown. */
export type Credentials = { readonly username: string; readonly password: () => string };

/** Which credentials an upstream sees: none, the proxy's own account, or the caller's. */
export type ClientAuth =
  | { readonly kind: 'anonymous' }
  | ({ readonly kind: 'basic' } & Credentials)
  | { readonly kind: 'passthrough' };

export type UpstreamAnswer = { readonly status: number; readonly headers: UpstreamHeaders };
/** The body must be read (`withBody`) or destroyed. */
export type UpstreamResponse = UpstreamAnswer & { readonly body: Readable };

export type RequestOptions = {
  readonly headers?: Readonly<Record<string, string>>;
  /** `repository:<name>:pull`; absent: a request no token scope belongs to, such as `/v2/`. */
  readonly scope?: string;
  readonly signal?: AbortSignal;
  /** The caller's Authorization; used only by a passthrough client. */
  readonly authorization?: string | undefined;
};

/** How one request over another connection may be sent, and where its outcome is told. */
export type Pass = {
  /** undefined: the upstream wants none. */
  readonly authorization: string | undefined;
  /** Its status, or what went wrong; after 401 the token is not used again. @param seconds how long it took. */
  told(answer: number | UpstreamError, seconds: number): void;
};

/** Makes the connections of another HTTP stack, and ends those nobody uses when the client does. */
export type AgentMaker<Agent> = {
  create(at: { readonly baseUrl: URL; readonly ca: string | Buffer | undefined }): Agent;
  retire(agent: Agent): void;
};

export type HttpClient = {
  readonly upstream: string;
  readonly auth: ClientAuth['kind'];
  readonly baseUrl: URL;
  /** For answers that are read as a whole. */
  readonly bodies: BodyRoom;
  /** The address it was last reached at. */
  peer(): string | undefined;
  /** @param path raw, starts with `/`, sent as it is behind the base URL's path. @throws UpstreamError */
  get(path: string, options?: RequestOptions): Promise<UpstreamResponse>;
  /** The same without a body. @throws UpstreamError */
  head(path: string, options?: RequestOptions): Promise<UpstreamAnswer>;
  /**
   * For a request over another connection, asking `path` with HEAD when it is not known yet what opens the scope.
   *
   * @throws UpstreamError `denied` when our account does not open it.
   */
  authorize(path: string, options: RequestOptions): Promise<Pass>;
  /** The agent of another HTTP stack, made once and retired when this client closes. */
  agentFor<Agent>(maker: AgentMaker<Agent>): Agent;
  /** Lets requests under way finish. */
  close(): Promise<void>;
};
