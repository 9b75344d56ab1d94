/**
 * Every bound of the pull port, in milliseconds, bytes and counts. A transfer as a whole has none
 * (registry-clients.md §0.10).
 */
export type Limits = {
  /** For a request's headers, from the first byte of the connection or of the request. */
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  /** Above the usual 60 s of load balancers, so that it is they who close an idle connection. */
  readonly keepAliveTimeout: number;
  /** A connection on which nothing moves in either direction. */
  readonly idleTimeout: number;
  readonly connectionsCheckingInterval: number;
  /** For a TLS handshake, the one inside a CONNECT too. */
  readonly handshakeTimeout: number;
  readonly maxHeaderSize: number;
  /** Bytes of a connection's streams that Node keeps by itself, in either direction: no more than the least window. */
  readonly streamBufferBytes: number;
  /** Connections at once; one more is closed as it comes. */
  readonly maxConnections: number;
  /** Requests of one connection that wait for their answers: Node hands all that a client pipelines over at once. */
  readonly maxPipelined: number;
  /** Until the target of a tunnel is connected, its name's lookup included. */
  readonly tunnelConnectTimeout: number;
  /** A tunnel through which nothing moves in either direction. */
  readonly tunnelIdleTimeout: number;
  /** Tunnels at once. */
  readonly maxTunnels: number;
};

/** What may wait in memory for clients that do not read, in bytes and milliseconds (forward/room.ts). */
export type RoomLimits = {
  /** Bytes of all answers together. */
  readonly maxBytes: number;
  /** The most that waits for one client, while there is plenty: neither side then waits for the other's loop turn. */
  readonly maxWindow: number;
  /** The least: every transfer is given this much as it begins, so that it gets on however full it is. */
  readonly minWindow: number;
  /** A client that takes nothing for this long is cut off when others wait for its room. */
  readonly stallTimeout: number;
  /** How long a transfer waits for room before it is refused: less than the 30 s that containerd waits. */
  readonly waitTimeout: number;
};

/** What bodies that are read as a whole may take, in bytes and milliseconds (upstream/body-room.ts). */
export type BodyLimits = {
  /**
   * Bytes of all of one need together. So much that the longest still has room beside an upstream that hangs, and beside
   * 32 that wait with the first bytes of theirs.
   */
  readonly maxBytes: { readonly first: number; readonly more: number; readonly list: number };
  /** What is given to a body that does not say how long it is, until it turns out to be longer. */
  readonly unknownBytes: number;
  /** How long a body waits for room: less than any of the deadlines it is read within. */
  readonly waitTimeout: number;
};

export const LIMITS: Limits = {
  headersTimeout: 15_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 75_000,
  idleTimeout: 300_000,
  connectionsCheckingInterval: 5_000,
  handshakeTimeout: 15_000,
  maxHeaderSize: 16 * 1024,
  streamBufferBytes: 8 * 1024,
  maxConnections: 20_000,
  maxPipelined: 32,
  tunnelConnectTimeout: 10_000,
  tunnelIdleTimeout: 300_000,
  maxTunnels: 1_000,
};

export const ROOM_LIMITS: RoomLimits = {
  maxBytes: 64 * 1024 * 1024,
  maxWindow: 512 * 1024,
  minWindow: 16 * 1024,
  stallTimeout: 20_000,
  waitTimeout: 15_000,
};

export const BODY_LIMITS: BodyLimits = {
  maxBytes: { first: 32 * 1024 * 1024, more: 16 * 1024 * 1024, list: 72 * 1024 * 1024 },
  unknownBytes: 64 * 1024,
  waitTimeout: 8_000,
};

/** Bytes of files that stream by and are collected meanwhile, to be kept (forward/bodies.ts). */
export const COLLECTED_BYTES = 32 * 1024 * 1024;

/** Bytes of names that tag lists under way have gathered from the pages they have seen (registry/tags.ts). */
export const GATHERED_BYTES = 64 * 1024 * 1024;

/** Bytes of a ClientHello inside a tunnel, with its records; one with post-quantum key shares takes 2 KiB. */
export const MAX_HELLO_BYTES = 32 * 1024;
/** Records it may come in: with more, each of a byte, the work would be the client's to choose. */
export const MAX_HELLO_RECORDS = 16;
