/** What the tests take from `@jest/globals`, from the packages jest itself is made of. */
export { expect } from 'expect';
export { afterAll, afterEach, beforeAll, beforeEach, describe, test } from 'jest-circus';
