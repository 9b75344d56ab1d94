/** Which rule speaks for a repository, and whether it needs to know who signed what. */
import type { Gun, ImageReference } from '../names/reference.ts';
import { mostSpecific } from './pattern.ts';
import type { Policy, Rule } from './types.ts';

/** The most specific rule for a name; undefined when none matches, and `unmatched` decides. */
export function selectRule(policy: Policy, name: Gun | string): Rule | undefined {
  return mostSpecific(policy.rules, name);
}

/** Whether trust data must be asked for before `decide` can judge: only for tags, and only where it counts. */
export function needsTrust(rule: Rule | undefined, reference: ImageReference): boolean {
  if (rule === undefined || reference.kind === 'digest') return false;
  switch (rule.mode) {
    case 'enforce':
    case 'audit':
      return true;
    case 'off':
    case 'deny':
      return false;
  }
}
