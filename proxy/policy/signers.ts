/** Whether the signers a rule asks for hold the digest. */
import type { SignerRequirement } from './types.ts';

/**
 * True when at least `count` different names of the requirement are among the signers. A count below one, and more
 * than there are names, is never met.
 */
export function meets(required: SignerRequirement, signers: readonly string[]): boolean {
  const names = new Set(required.names);
  const held = new Set(signers.filter((signer) => names.has(signer)));
  return required.count >= 1 && held.size >= required.count;
}

/** Names of the requirement that did not sign, in the rule's order. */
export function missingSigners(required: SignerRequirement, signers: readonly string[]): readonly string[] {
  const held = new Set(signers);
  return [...new Set(required.names)].filter((name) => !held.has(name));
}
