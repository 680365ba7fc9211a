import type { Definitions } from '../../cli/options.js';
import { readingOptions } from '../shared/options/choice.js';
import { commonOptions } from '../shared/options/common.js';

export const openOptions = { ...commonOptions, ...readingOptions } satisfies Definitions;
