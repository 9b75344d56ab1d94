/** Chooses the next input: a seed, how it is mutated, and what it stands in for. */
import { mutateBytes } from './mutate-bytes.ts';
import { type Json, mutateJson } from './mutate-json.ts';
import type { Random } from './random.ts';
import { type FuzzedRole, type FuzzTarget, type Input, MODES, ROLES } from './target.ts';

/** Inputs kept because they were answered in a new way; the oldest go first. */
const MAX_KEPT = 400;

export class Generator {
  readonly #random: Random;
  readonly #target: FuzzTarget;
  readonly #corpus: readonly Uint8Array[];
  readonly #kept: Input[] = [];
  /** The corpus as it is comes before anything is mutated. */
  readonly #first: Input[];
  readonly #labels = new Set<string>();

  constructor(random: Random, target: FuzzTarget, corpus: readonly Uint8Array[]) {
    this.#random = random;
    this.#target = target;
    this.#corpus = corpus;
    this.#first = corpus.flatMap(inputsOf);
  }

  get labels(): number {
    return this.#labels.size;
  }

  next(): Input {
    const random = this.#random;
    const first = this.#first.pop();
    if (first !== undefined) return first;
    const kept = this.#kept.length > 0 && random.once(3) ? random.pick(this.#kept) : undefined;
    const role = kept?.role ?? random.pick(ROLES);
    const mode = random.once(8) && kept !== undefined ? kept.mode : random.pick(MODES);
    return { role, mode, known: random.once(2), bytes: this.#mutate(kept?.bytes ?? this.#seed(role)) };
  }

  /** There is no coverage to go by: an answer that was never heard before is what makes an input worth keeping. */
  learn(input: Input, label: string): void {
    if (this.#labels.has(label)) return;
    this.#labels.add(label);
    this.#kept.push(input);
    if (this.#kept.length > MAX_KEPT) this.#kept.shift();
  }

  #seed(role: FuzzedRole): Uint8Array {
    return this.#random.once(6) ? this.#random.pick(this.#corpus) : this.#target.honest(role);
  }

  #mutate(seed: Uint8Array): Uint8Array {
    const others = ROLES.map((role) => this.#target.honest(role)).concat(this.#corpus);
    const json = this.#random.once(2) ? undefined : parse(seed);
    if (json === undefined) return mutateBytes(seed, this.#random, others);
    const bytes = Buffer.from(JSON.stringify(mutateJson(json, this.#random)));
    return this.#random.once(5) ? mutateBytes(bytes, this.#random, others) : bytes;
  }
}

/** The same bytes in the place of every role, where no hash keeps them from being read. */
export function inputsOf(bytes: Uint8Array): readonly Input[] {
  return ROLES.map((role) => ({ role, mode: 'server', known: false, bytes }));
}

function parse(bytes: Uint8Array): Json | undefined {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Json;
  } catch {
    // Then it is mutated as bytes.
    return undefined;
  }
}
