/**
 * What streams by, through http-proxy.ts: blobs, referrers, whole tag lists and trust files. No manifest does (manifest.ts).
 *
 * The path upstream is built from parsed parts. Of the client's headers only an allow-list goes on, and so it is the
 * other way (registry-clients.md §4.4). There is no limit on a whole transfer, only on silence (registry-clients.md §0.10).
 */
import type { Agent as HttpAgent, IncomingMessage, ServerResponse } from 'node:http';
import { toFailure, UpstreamError } from '../upstream/errors.ts';
import type { AgentMaker } from '../upstream/types.ts';
import { sendResponse } from '../wire/send-response.ts';
import { CAUSES } from '../words.ts';
import { keep, toRefusal } from './bodies.ts';
import { type Passage, passageOf, writeHeaders } from './headers.ts';
import { admit, sendHeld } from './held-answers.ts';
import { type Admitted, type Ask, createAsk, Failure } from './http-proxy.ts';
import { Room } from './room.ts';
import { transfer } from './transfer.ts';
import type { Forwarder } from './types.ts';
import { createAgent, retire } from './upstream-agent.ts';

export type ForwarderOptions = {
  /** Longest silence of an upstream, before and inside its answer, in milliseconds. */
  readonly idleTimeoutMs?: number;
  /** For what waits for clients; one of its own when absent. */
  readonly room?: Room;
};

const IDLE_TIMEOUT_MS = 60_000;

export function createForwarder(options: ForwarderOptions = {}): Forwarder {
  const room = options.room ?? new Room();
  const agents = new Set<HttpAgent>();
  const maker: AgentMaker<HttpAgent> = {
    create: (at) => {
      const agent = createAgent(at);
      agents.add(agent);
      return agent;
    },
    retire: (agent) => {
      agents.delete(agent);
      retire(agent);
    },
  };
  let isClosed = false;
  const askOnce = createAsk({
    agentFor: (client) => client.agentFor(maker),
    // What this forwarder itself cuts is nobody's fault.
    tell: (pass, outcome, seconds) => {
      if (!isClosed) pass.told(outcome, seconds);
    },
    idleTimeoutMs: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
  });
  const ask: Ask = async (...exchange) => {
    const answer = await askOnce(...exchange);
    return answer instanceof Failure && answer.isStaleSocket ? askOnce(...exchange) : answer;
  };
  return {
    async forward(req, res, asked) {
      const lease = await admit(room, req, res);
      if (res.destroyed) return;
      if (lease === undefined)
        return sendResponse(res, asked.onFailed('deadline_exceeded', CAUSES.noRoomForAnswers));
      const forward = { ...asked, lease };
      const answer = await obtain(ask, req, res, forward);
      if (answer instanceof Failure)
        return sendResponse(res, forward.onFailed(answer.reason, answer.what, answer.retryAfter));
      if (answer !== undefined) await relay(answer, res, forward, room);
    },
    respond(res, response, busy) {
      sendHeld(room, res, response, busy);
    },
    close() {
      isClosed = true;
      for (const agent of agents) agent.destroy();
    },
  };
}

/** The upstream's answer; undefined: the client is gone. A token that was refused is replaced once. */
async function obtain(
  ask: Ask,
  req: IncomingMessage,
  res: ServerResponse,
  forward: Admitted,
): Promise<IncomingMessage | Failure | undefined> {
  const { client, path, scope } = forward;
  const gone = new AbortController();
  const abort = (): void => gone.abort();
  res.once('close', abort);
  try {
    // A client with its own account never hands on the caller's credentials (registry-clients.md §4.1).
    const { authorization } = req.headers;
    const options = { scope, signal: gone.signal, authorization };
    const answer = await ask(req, res, forward, await client.authorize(path, options));
    if (client.auth === 'passthrough' || !isStale(answer)) return answer;
    answer.resume();
    return await ask(req, res, forward, await client.authorize(path, options));
  } catch (error) {
    if (gone.signal.aborted) return undefined;
    if (error instanceof UpstreamError) {
      const why = toFailure(error, CAUSES.didNotLetUsIn(error.kind));
      return new Failure(why.reason, why.what, false, why.retryAfter);
    }
    return new Failure('registry_unreachable', CAUSES.cannotBeAsked);
  } finally {
    res.off('close', abort);
  }
}

function isStale(answer: IncomingMessage | Failure | undefined): answer is IncomingMessage {
  return answer !== undefined && !(answer instanceof Failure) && answer.statusCode === 401;
}

async function relay(
  answer: IncomingMessage,
  res: ServerResponse,
  forward: Admitted,
  room: Room,
): Promise<void> {
  const passage: Passage = passageOf(answer, forward, res.req);
  if (passage.kind === 'failed') {
    answer.destroy();
    return sendResponse(res, forward.onFailed(passage.reason, passage.what, passage.retryAfter));
  }
  const status = answer.statusCode ?? 502;
  if (status >= 400 && forward.onRefused !== undefined) {
    forward.onServed(status);
    const refusal = await toRefusal(answer, forward.client);
    // It stays while something is asked in its place, and is nobody else's meanwhile.
    forward.lease.waits(refusal.body?.length ?? 0);
    const response = await forward.onRefused(refusal);
    forward.lease.waits(0);
    return sendHeld(room, res, response, () =>
      forward.onFailed('deadline_exceeded', CAUSES.noRoomForAnswers),
    );
  }
  forward.onServed(status);
  writeHeaders(answer, res, forward);
  res.statusCode = status;
  // At once, before the first byte of the body (registry-clients.md §0.10).
  res.flushHeaders();
  if (status === 200 && forward.keep !== undefined && res.req.method === 'GET')
    keep(answer, forward.client.upstream, forward.keep);
  await transfer(answer, res, forward.lease);
}
