import { describe, test } from '@jest/globals';
import { apiSuite } from './api.suite.js';

const assets = process.env.KUBEBUILDER_ASSETS ?? '';

describe('a real kube-apiserver', () => {
  if (assets === '') {
    test.todo('set KUBEBUILDER_ASSETS to a folder with etcd and kube-apiserver');
  } else {
    apiSuite(true);
  }
});
