// SPDX-License-Identifier: Apache-2.0
// Loaded before Portkey's gateway, which can only listen on all addresses and names no port when it chose one itself.
"use strict";

const net = require("node:net");

const listen = net.Server.prototype.listen;

net.Server.prototype.listen = function (port, ...rest) {
  const whenReady = rest.find((argument) => typeof argument === "function");
  return listen.call(this, { host: "127.0.0.1", port, backlog: 4096 }, () => {
    console.log(`listening on ${this.address().port}`);
    whenReady?.();
  });
};
