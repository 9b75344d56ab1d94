/** Many callers at a time, in an order that a seed decides, over connections they share. */
import { Agent } from 'node:http';
import { Random } from '../../fuzz/random.ts';
import type { Answer } from '../http.ts';
import type { Caller } from './callers.ts';
import { take, type Way, whyNotRefused, whyNotServed } from './ways.ts';

export interface MixOptions {
  readonly base: string;
  readonly callers: readonly Caller[];
  readonly ways: readonly Way[];
  readonly requests: number;
  readonly atATime: number;
  readonly seed: number;
  /** What the registry itself answers. */
  readonly wordFor: (caller: Caller, repository: string) => Answer;
}

export interface MixResult {
  readonly served: number;
  readonly refused: number;
  /** One line for each answer that is not exactly the right one. */
  readonly wrong: readonly string[];
}

export async function runMix(options: MixOptions): Promise<MixResult> {
  const { base, callers, ways, requests, atATime, wordFor } = options;
  const random = new Random(options.seed);
  // Every other one may read, or hardly anything would be served.
  const readers = callers.filter(({ reads }) => reads.length > 0);
  const queue = Array.from({ length: requests }, (_, at) => ({
    caller: random.pick(random.once(2) ? readers : callers),
    way: random.pick(ways),
    at,
  })).values();
  const wrong: string[] = [];
  let served = 0;
  let refused = 0;
  // What stands between clients and us shares connections too; no right may stick to one.
  const agent = new Agent({ keepAlive: true, maxSockets: atATime });
  const work = async (): Promise<void> => {
    for (const { caller, way, at } of queue) {
      const answer = await take(base, way, caller, agent);
      const mayRead = caller.reads.includes(way.repository);
      const why = mayRead
        ? whyNotServed(answer, way)
        : whyNotRefused(answer, way, wordFor(caller, way.repository));
      if (mayRead) served += 1;
      else refused += 1;
      if (why !== undefined)
        wrong.push(`${at}: ${caller.name} ${way.method} ${way.repository} ${way.path}: ${why}`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, work));
  agent.destroy();
  return { served, refused, wrong };
}
