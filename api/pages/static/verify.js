// Verifies a receipt in the browser: the file stays on the page, and the page may connect to nowhere.
//
// The same rules as in consent/receipts, link by link: a key that you trust has signed the checkpoint; the entry stands
// in its tree; the entry commits to the payload; the payload commits to the terms; and the readable part is what is
// written anew from payload and terms. Anything else is refused. Nothing is passed that could not be checked.

const LARGEST = 1 << 20;
const DEEPEST = 32;
const LONGEST_NOTE = 1 << 18;
const MOST_SIGNATURES = 16;
const LONGEST_PATH = 63;
const GREATEST_SIZE = (1n << 63n) - 1n;
const PROOF = "byleave:proof";
const PARTS = ["entry", "payload", "salt", "terms", "path", "checkpoint"];

// The steps, in the order in which they are shown. A receipt is refused at one of them.
export const STEPS = ["file", "proof", "payload", "terms", "readable", "checkpoint", "inclusion"];

class Refused extends Error {
  constructor(step, why) {
    super(why);
    this.step = step;
  }
}

// What a step needs is not here: the browser can't do it, or there is no key for it. Never a pass, and no blame.
class Unable extends Error {
  constructor(step, why) {
    super(why);
    this.step = step;
  }
}

function must(step, holds, why) {
  if (!holds) {
    throw new Refused(step, why);
  }
}

// ------------------------------------------------------------------------------------------------------- strict JSON

const SPACE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WHOLE = /^-?(?:0|[1-9][0-9]*)$/;
const HALF = /\p{Surrogate}/u;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

// Reads JSON in the one way that leaves no doubt: no key twice, whole numbers within ±(2^53−1), no half characters.
// Objects have no prototype, so that no key means more than itself.
class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  refuse(why) {
    throw new Refused("file", why);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) {
      return null;
    }
    this.at = pattern.lastIndex;
    return found[0];
  }

  take(sign) {
    this.match(SPACE);
    if (this.text[this.at] !== sign) {
      return false;
    }
    this.at += 1;
    return true;
  }

  whole() {
    const value = this.value(0);
    this.match(SPACE);
    if (this.at !== this.text.length) {
      this.refuse("there is more after the end of the JSON");
    }
    return value;
  }

  value(depth) {
    if (depth > DEEPEST) {
      this.refuse("it is nested too deep");
    }
    if (this.take("{")) {
      return this.object(depth);
    }
    if (this.take("[")) {
      return this.list(depth);
    }
    const sign = this.text[this.at];
    if (sign === '"') {
      return this.string();
    }
    for (const [word, value] of [["true", true], ["false", false], ["null", null]]) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  object(depth) {
    const read = Object.create(null);
    if (this.take("}")) {
      return read;
    }
    do {
      this.match(SPACE);
      const key = this.string();
      if (key in read) {
        this.refuse("a key stands twice in one object");
      }
      if (!this.take(":")) {
        this.refuse("it is not JSON");
      }
      read[key] = this.value(depth + 1);
    } while (this.take(","));
    if (!this.take("}")) {
      this.refuse("it is not JSON");
    }
    return read;
  }

  list(depth) {
    const read = [];
    if (this.take("]")) {
      return read;
    }
    do {
      read.push(this.value(depth + 1));
    } while (this.take(","));
    if (!this.take("]")) {
      this.refuse("it is not JSON");
    }
    return read;
  }

  string() {
    const written = this.match(STRING);
    if (written === null) {
      this.refuse("it is not JSON");
    }
    const text = JSON.parse(written);
    if (text.includes("\0") || HALF.test(text)) {
      this.refuse("it has a character that is none");
    }
    return text;
  }

  number() {
    const written = this.match(NUMBER);
    if (written === null) {
      this.refuse("it is not JSON");
    }
    const number = Number(written);
    if (!WHOLE.test(written) || !Number.isSafeInteger(number)) {
      this.refuse("it has a number that is not whole, or too large");
    }
    return number;
  }
}

function strictJson(bytes) {
  must("file", bytes.length <= LARGEST, "it is too large");
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (wrong) {
    throw new Refused("file", "it is not UTF-8");
  }
  return new Reader(text).whole();
}

// ------------------------------------------------------------------------------------------- one value, one sequence

const isText = (value) => typeof value === "string";
const isWhole = (value) => typeof value === "number";
const isList = (value) => Array.isArray(value);
const isObject = (value) => typeof value === "object" && value !== null && !isList(value);

// RFC 8785, for what `Reader` reads: no floats.
function canonical(value) {
  if (isList(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (isObject(value)) {
    const items = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
    return `{${items.join(",")}}`;
  }
  return isWhole(value) ? String(value) : JSON.stringify(value);
}

// The closed profile of what the ledger commits to.
function inProfile(value, depth) {
  if (isText(value)) {
    return value === value.normalize("NFC");
  }
  if (isWhole(value) || typeof value === "boolean") {
    return true;
  }
  if (value === null || depth === DEEPEST) {
    return false;
  }
  if (isList(value)) {
    return value.every((each) => inProfile(each, depth + 1));
  }
  return Object.keys(value).every((key) => /^[a-z_]+$/.test(key) && inProfile(value[key], depth + 1));
}

// ------------------------------------------------------------------------------------------------- bytes and ciphers

const utf8 = (text) => new TextEncoder().encode(text);

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function same(one, other) {
  return one.length === other.length && one.every((byte, spot) => byte === other[spot]);
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));
const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

// Standard base64 in its one form, or null.
function unbase64(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  } catch (wrong) {
    return null;
  }
  return base64(bytes) === text ? bytes : null;
}

function unbase64url(text) {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  return unbase64(plain + "=".repeat((4 - (plain.length % 4)) % 4));
}

function subtle() {
  if (!globalThis.crypto || !crypto.subtle) {
    // The commitment is the first step that needs it.
    throw new Unable("payload", "this page was not loaded over a safe connection, so there is no cryptography in it");
  }
  return crypto.subtle;
}

const sha256 = async (...parts) => new Uint8Array(await subtle().digest("SHA-256", joined(...parts)));

async function hmac(key, message) {
  const imported = await subtle().importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle().sign("HMAC", imported, message));
}

async function signedBy(publicKey, signature, message) {
  let key;
  try {
    key = await subtle().importKey("raw", publicKey, { name: "Ed25519" }, false, ["verify"]);
  } catch (wrong) {
    if (wrong.name === "DataError") {
      return false; // no key at all
    }
    throw new Unable("checkpoint", "this browser can't check Ed25519 signatures");
  }
  return subtle().verify({ name: "Ed25519" }, key, signature, message);
}

// -------------------------------------------------------------------------------------------------- keys, signed notes

// What Python calls space; a key's name has none.
const SPACES = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;
const CONTROLS = /[\x00-\x09\x0b-\x1f]/;
const SIZE = /^(?:0|[1-9][0-9]{0,18})$/;

const nameIsGood = (name) => name !== "" && !name.includes("+") && !SPACES.test(name);

function parted(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + mark.length)];
}

// Reads verifier keys, one a line; null where a line is none.
export async function verifierKeys(text) {
  const keys = [];
  for (const line of text.split("\n").map((each) => each.trim()).filter((each) => each !== "")) {
    const [name, rest] = parted(line, "+");
    const [id, encoded] = parted(rest, "+");
    const key = unbase64(encoded);
    if (!nameIsGood(name) || CONTROLS.test(name) || key === null || key.length !== 33 || key[0] !== 1) {
      return null;
    }
    const publicKey = key.slice(1);
    if (hex(await keyId(name, publicKey)) !== id) {
      return null;
    }
    keys.push({ name, publicKey });
  }
  return keys;
}

function signatureOf(line) {
  must("checkpoint", line.startsWith("\u2014 "), "the checkpoint has a line that is no signature");
  const [name, encoded] = parted(line.slice(2), " ");
  const bytes = unbase64(encoded);
  must("checkpoint", nameIsGood(name) && bytes !== null && bytes.length > 4, "a signature is not of the form");
  return { name, id: bytes.slice(0, 4), signature: bytes.slice(4) };
}

// Returns the text of a note that one of the keys has signed, and that no other of them has signed wrongly.
async function opened(note, keys) {
  must("checkpoint", Array.from(note).length <= LONGEST_NOTE && !CONTROLS.test(note), "the checkpoint is no note");
  const cut = note.lastIndexOf("\n\n");
  const lines = note.slice(cut + 2);
  must("checkpoint", cut >= 0 && lines.endsWith("\n"), "the checkpoint is no note");
  const text = note.slice(0, cut) + "\n";
  const signatures = lines.slice(0, -1).split("\n");
  must("checkpoint", signatures.length <= MOST_SIGNATURES, "the checkpoint has too many signatures");
  let signed = false;
  for (const each of signatures.map(signatureOf)) {
    for (const key of keys.filter((one) => one.name === each.name && same(one.id, each.id))) {
      const good = each.signature.length === 64 && (await signedBy(key.publicKey, each.signature, utf8(text)));
      must("checkpoint", good, "the signature doesn't fit the checkpoint");
      signed = true;
    }
  }
  must("checkpoint", signed, "the checkpoint is not signed by the key");
  return text;
}

// What a log is called: the deployment, and the period. A key outlives periods; its id in notes doesn't.
const PERIOD = /^(.+)\/consent\/[0-9]{4}h[12](?:-[1-9][0-9]{0,4})?$/s;

function isOf(name, origin) {
  const [mine, own] = [PERIOD.exec(name), PERIOD.exec(origin)];
  return name === origin || (mine !== null && own !== null && mine[1] === own[1]);
}

const keyId = async (name, publicKey) => (await sha256(utf8(name), utf8("\n"), [1], publicKey)).slice(0, 4);

async function checkpointOf(note, origin, keys) {
  const own = [];
  for (const { publicKey } of keys.filter((key) => isOf(key.name, origin))) {
    own.push({ name: origin, id: await keyId(origin, publicKey), publicKey });
  }
  if (own.length === 0) {
    throw new Unable("checkpoint", keys.length ? `the key is not that of ${origin}` : "there is no key, or it is none");
  }
  const lines = (await opened(note, own)).split("\n");
  must("checkpoint", lines.length === 4 && lines[3] === "" && SIZE.test(lines[1]), "the checkpoint is not of the form");
  const [size, root] = [BigInt(lines[1]), unbase64(lines[2])];
  must("checkpoint", root !== null && root.length === 32 && size <= GREATEST_SIZE, "the checkpoint is not of the form");
  must("checkpoint", lines[0] === origin, "the checkpoint is of another ledger");
  return { size, root };
}

// RFC 9162, section 2.1.3.2.
async function requireIncluded(leaf, index, size, path, root) {
  must("inclusion", index < size, "the tree has no such entry");
  let [inner, last, reached] = [index, size - 1n, leaf];
  for (const sibling of path) {
    must("inclusion", last !== 0n, "the path is too long");
    if ((inner & 1n) === 1n || inner === last) {
      reached = await sha256([1], sibling, reached);
      while (inner !== 0n && (inner & 1n) === 0n) {
        inner >>= 1n;
        last >>= 1n;
      }
    } else {
      reached = await sha256([1], reached, sibling);
    }
    inner >>= 1n;
    last >>= 1n;
  }
  must("inclusion", last === 0n, "the path is too short");
  must("inclusion", same(reached, root), "the entry leads to another root");
}

// --------------------------------------------------------------------------------------------- the proof, and its form

const DAY =
  "(?!0000)(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|" +
  "(?:0[13578]|1[02])-31)|(?:[0-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";
const TIME = `${DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\.[0-9]{3}Z`;
const HASH = "[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]";
const ENTRY = new RegExp(
  `^\\{"at":"(${TIME})","c":"(${HASH})","cv":(0|[1-9][0-9]{0,9}),"h":"${HASH}",` +
    '"log":"([a-z0-9](?:[a-z0-9./-]{0,118}[a-z0-9])?)","seq":(0|[1-9][0-9]{0,14}),"t":"statement","v":1\\}$',
);

const ACTS = [
  "request", "grant", "refuse", "withdraw", "object", "renew", "invalidate", "pause", "resume", "restrict", "lift",
];
const METHODS = [
  "web_form", "phone", "paper", "import", "signal", "one_click", "confirmation", "synthetic", "merged",
];
const BASES = ["consent", "explicit_consent", "contract", "legal_obligation", "legitimate_interest"];
const ASKED = ["consent", "explicit_consent"];

const [TEXT, INTEGER, FLAG] = ["string", "number", "boolean"];
const PAYLOAD = {
  actor: TEXT,
  customer: TEXT,
  statement: {
    act: TEXT, method: TEXT, said_at: TEXT, scopes: [TEXT], valid_until: [TEXT], awaiting: [TEXT], until: TEXT,
    language: TEXT, evidence: TEXT, age: INTEGER, guardian: FLAG,
  },
  terms: TEXT,
};
const TERMS = {
  controller: { name: TEXT, address: TEXT, email: TEXT },
  scopes: [
    {
      scope: TEXT, operation: TEXT, legal_basis: TEXT, basis: TEXT,
      data: { title: TEXT, origin: TEXT, terms: [TEXT] },
      purpose: { title: TEXT, description: TEXT, terms: [TEXT] },
      processing: [TEXT],
      channel: { key: TEXT, title: TEXT },
      recipient: { key: TEXT, title: TEXT },
      benefit: TEXT, retention: TEXT,
      notice: { key: TEXT, version: INTEGER, language: TEXT, text: TEXT },
    },
  ],
};

function fits(given, form, openEnded) {
  if (isText(form)) {
    return typeof given === form;
  }
  if (isList(form)) {
    return isList(given) && given.every((each) => fits(each, form[0], openEnded));
  }
  return (
    isObject(given) &&
    Object.keys(given).every((key) => (Object.hasOwn(form, key) ? fits(given[key], form[key], openEnded) : openEnded))
  );
}

const sameKeys = (value, keys) =>
  isObject(value) && canonical(Object.keys(value).sort()) === canonical([...keys].sort());

function proofOf(given) {
  must("proof", sameKeys(given, PARTS.map((name) => `byleave:${name}`)), "the proof doesn't have exactly its parts");
  const [body, payload, salt, terms, path, checkpoint] = PARTS.map((name) => given[`byleave:${name}`]);
  const entry = isText(body) ? ENTRY.exec(body) : null;
  must("proof", entry !== null, "the entry is none, or not of a statement");
  must("proof", isText(checkpoint), "the checkpoint is not text");
  const key = isText(salt) ? unbase64(salt) : null;
  must("proof", key !== null && key.length === 32, "the salt is not of the form");
  must("proof", isList(path) && path.length <= LONGEST_PATH, "the path is not of the form");
  const hashes = path.map((each) => (isText(each) ? unbase64(each) : null));
  must("proof", hashes.every((each) => each !== null && each.length === 32), "the path is not of the form");
  requirePayload(payload);
  requireTerms(terms, payload.statement.scopes ?? []);
  const [, at, commitment, catalogue, log, seq] = entry;
  return {
    body, payload, terms, checkpoint, salt: key, path: hashes, said: payload.statement,
    at, log, seq, commitment: unbase64url(commitment), catalogue: Number(catalogue),
  };
}

function requirePayload(payload) {
  must("proof", fits(payload, PAYLOAD, true), "the payload is not of the form");
  const said = payload.statement;
  const complete = isObject(said) && "actor" in payload && "customer" in payload && "terms" in payload;
  must("proof", complete && "said_at" in said, "the payload is not complete");
  must("proof", ACTS.includes(said.act) && METHODS.includes(said.method), "the statement is of an unknown kind");
  const ends = said.valid_until;
  must("proof", !ends || ends.length === (said.scopes ?? []).length, "the statement is not complete");
}

function requireTerms(terms, scopes) {
  const good = sameKeys(terms, Object.keys(TERMS)) && fits(terms, TERMS, false) && "name" in terms.controller;
  must("proof", good, "the terms are not of the form");
  const named = terms.scopes.map((each) => each.scope ?? null);
  must("proof", canonical(named) === canonical(scopes), "the terms are of other scopes");
  for (const each of terms.scopes) {
    must("proof", !("legal_basis" in each) || BASES.includes(each.legal_basis), "a legal basis is unknown");
    const whole = !("notice" in each) || sameKeys(each.notice, ["key", "version", "language", "text"]);
    must("proof", whole, "a wording is not complete");
  }
}

async function termsDigest(terms) {
  const hashes = [];
  for (const each of [terms.controller, ...terms.scopes]) {
    hashes.push(await sha256(utf8(canonical(each))));
  }
  return sha256(utf8("byleave/terms/v1\0"), ...hashes);
}

// ----------------------------------------------------------------------- the readable part, written from the proof

const CONTEXT = {
  dct: "http://purl.org/dc/terms/",
  dpv: "https://w3id.org/dpv#",
  "eu-gdpr": "https://w3id.org/dpv/legal/eu/gdpr#",
  "legal-eu": "https://w3id.org/dpv/legal/eu#",
  pd: "https://w3id.org/dpv/pd#",
  rdf: "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
  skos: "http://www.w3.org/2004/02/skos/core#",
  xsd: "http://www.w3.org/2001/XMLSchema#",
  byleave: "urn:byleave:v1:",
  "byleave:payload": { "@id": "byleave:payload", "@type": "@json" },
  "byleave:terms": { "@id": "byleave:terms", "@type": "@json" },
  "byleave:path": { "@id": "byleave:path", "@container": "@list" },
};
const CONSENT = {
  request: ["dpv:ConsentRequested"],
  grant: ["dpv:ConsentGiven"],
  refuse: ["dpv:ConsentRefused"],
  withdraw: ["dpv:ConsentWithdrawn"],
  object: ["dpv:ConsentWithdrawn"],
  renew: ["dpv:RenewedConsentGiven"],
  invalidate: ["dpv:ConsentRevoked", "dpv:ConsentInvalidated"],
};
const INTEREST = {
  request: ["dpv:LegitimateInterestInformed"],
  refuse: ["dpv:LegitimateInterestObjected"],
  withdraw: ["dpv:LegitimateInterestObjected"],
  object: ["dpv:LegitimateInterestObjected"],
};
const WHOLE_CUSTOMER = {
  pause: ["dpv:ActivityHalted"],
  resume: ["dpv:ActivityOngoing"],
  restrict: ["dpv:ActivityHalted"],
  lift: ["dpv:ActivityOngoing"],
};
const EXPRESSED = { consent: "dpv:ExpressedConsent", explicit_consent: "dpv:ExplicitlyExpressedConsent" };
const RIGHTS = { consent: "eu-gdpr:A7-3", explicit_consent: "eu-gdpr:A7-3", legitimate_interest: "eu-gdpr:A21" };
const COMPANYS = ["request", "invalidate"];

const ref = (name) => ({ "@id": name });
const time = (at) => ({ "@value": at, "@type": "xsd:dateTime" });

function isEmpty(value) {
  return !value || (isList(value) && value.length === 0) || (isObject(value) && Object.keys(value).length === 0);
}

const present = (node) => Object.fromEntries(Object.entries(node).filter(([, value]) => !isEmpty(value)));

function statusOf(act, method, basis, awaiting) {
  if (act in WHOLE_CUSTOMER) {
    return ["dpv:hasActivityStatus", WHOLE_CUSTOMER[act]];
  }
  if (basis === "legitimate_interest") {
    return ["dpv:hasStatus", INTEREST[act] ?? ["dpv:LegitimateInterestStatus"]];
  }
  if (basis && !ASKED.includes(basis)) {
    return ["dpv:hasStatus", [COMPANYS.includes(act) ? "dpv:Status" : "dpv:RequestInitiated"]];
  }
  if (method === "merged" && act === "withdraw") {
    return ["dpv:hasConsentStatus", ["dpv:ConsentRevoked"]];
  }
  if (awaiting) {
    return ["dpv:hasConsentStatus", ["dpv:ConsentRequested"]];
  }
  const given = basis && ["grant", "renew"].includes(act) ? [EXPRESSED[basis]] : [];
  return ["dpv:hasConsentStatus", [...CONSENT[act], ...given]];
}

function rightsOf(act, basis) {
  const own = ["restrict", "lift"].includes(act) ? "eu-gdpr:A18" : RIGHTS[basis];
  return [...(own ? [own] : []), "eu-gdpr:A77"];
}

async function readable(proof) {
  const identifier = `${proof.log}/${proof.seq}`;
  const names = namesIn(proof);
  return {
    "@context": CONTEXT,
    "@id": names.receipt,
    "@type": "dpv:ConsentReceipt",
    "dct:conformsTo": ref("https://w3id.org/dpv/schema/dpv-27560#receipt-eu-gdpr"),
    "dct:identifier": identifier,
    "dpv:hasIdentifier": identifier,
    "dct:created": time(proof.at),
    "dct:publisher": ref(names.controller),
    "dpv:hasRecordOfActivity": [await recordOf(proof, names)],
  };
}

function namesIn(proof) {
  const receipt = `urn:byleave:${proof.log}/${proof.seq}`;
  const controller = `urn:byleave:${proof.log.split("/")[0]}`;
  return {
    receipt,
    controller,
    customer: `${controller}/${proof.payload.customer}`,
    part: (name) => `${receipt}#${name}`,
    notice: (notice) => `${receipt}#notice-${notice.key}-${notice.version}-${notice.language}`,
    recipient: (recipient) => `${controller}/recipient/${recipient.key ?? ""}`,
  };
}

async function recordOf(proof, names) {
  const { said, terms } = proof;
  const exercised = ["object", "restrict", "lift"].includes(said.act) ? ["dpv:RightExerciseRecord"] : [];
  const identifier = `${proof.log}/${proof.seq}#record`;
  const processes = terms.scopes.map((each, spot) => processOf(each, spot, proof, names));
  return present({
    "@id": names.part("record"),
    "@type": ["dpv:ConsentRecord", ...exercised],
    "dct:conformsTo": ref("https://w3id.org/dpv/schema/dpv-27560#record-eu-gdpr"),
    "dct:identifier": identifier,
    "dpv:hasIdentifier": identifier,
    "dct:language": said.language,
    "dpv:hasDataSubject": { "@id": names.customer, "@type": "dpv:Customer" },
    "dpv:hasNotice": await noticesIn(terms.scopes, names),
    "dpv:hasApplicableLaw": ref("legal-eu:law-GDPR"),
    "dpv:hasProcess": processes.length ? processes : [everything(proof, names)],
    "dpv:hasEntity": [controllerOf(proof, names), ...recipientsIn(terms.scopes, names)],
    "byleave:act": said.act,
    "byleave:method": said.method,
    "byleave:actor": proof.payload.actor,
    "byleave:evidence": said.evidence,
    "byleave:attestedAge": said.age,
    "byleave:guardian": said.guardian,
    "byleave:catalogueVersion": proof.catalogue,
  });
}

function processOf(terms, spot, proof, names) {
  const { said } = proof;
  const awaiting = (said.awaiting ?? []).includes(terms.scope);
  const until = said.valid_until && said.valid_until.length ? said.valid_until[spot] : "";
  const recipient = isEmpty(terms.recipient) ? [] : [ref(names.recipient(terms.recipient))];
  return present({
    "@id": names.part(terms.scope),
    "@type": "dpv:Process",
    "dct:identifier": terms.scope,
    "dpv:hasPurpose": terms.purpose ? [purposeOf(terms.purpose)] : [],
    "dpv:hasPersonalData": terms.data ? [dataOf(terms.data)] : [],
    "dpv:hasProcessing": (terms.processing ?? []).map(ref),
    "dpv:hasLegalBasis": "basis" in terms ? ref(terms.basis) : {},
    "dpv:hasDataController": ref(names.controller),
    "dpv:hasRecipient": [ref(names.controller), ...recipient],
    "dpv:hasNotice": terms.notice ? ref(names.notice(terms.notice)) : {},
    "dpv:hasStorageCondition": storageOf(terms.retention),
    "byleave:channel": (terms.channel ?? {}).title,
    "byleave:benefit": terms.benefit,
    ...saidOf(proof, terms.legal_basis, names, awaiting, until),
  });
}

function everything(proof, names) {
  const optedOut = proof.said.act === "refuse" ? ["dpv:SellDataToThirdParties", "dpv:TargetedAdvertising"] : [];
  return present({
    "@id": names.part("everything"),
    "@type": "dpv:Process",
    "dpv:hasPurpose": optedOut.map((each) => ({ "@type": "dpv:Purpose", "skos:broader": [ref(each)] })),
    "dpv:hasDataController": ref(names.controller),
    ...saidOf(proof, undefined, names, false, proof.said.until),
  });
}

function saidOf(proof, basis, names, awaiting, until) {
  const { said } = proof;
  const [under, types] = statusOf(said.act, said.method, basis, awaiting);
  const status = present({
    "@type": types,
    "dpv:isIndicatedAtTime": time(said.said_at),
    "dpv:isIndicatedBy": speakerOf(said, names),
    "dpv:hasIndicationMethod": said.method.replaceAll("_", " "),
    "dpv:hasDuration": until ? { "@type": "dpv:UntilTimeDuration", "rdf:value": time(until) } : {},
  });
  const rights = rightsOf(said.act, basis).map((each) => ({ "@type": ["dpv:DataSubjectRight", each] }));
  return { [under]: [status], "dpv:hasRight": rights };
}

function speakerOf(said, names) {
  if (COMPANYS.includes(said.act) || said.method === "merged") {
    return ref(names.controller);
  }
  if (said.guardian) {
    return { "@id": names.part("guardian"), "@type": "dpv:GuardianOfDataSubject" };
  }
  return ref(names.customer);
}

const purposeOf = (purpose) =>
  present({
    "@type": "dpv:Purpose",
    "skos:broader": (purpose.terms ?? []).map(ref),
    "skos:prefLabel": purpose.title,
    "dct:description": purpose.description,
  });

const dataOf = (data) =>
  present({
    "@type": data.origin ?? "dpv:PersonalData",
    "skos:broader": (data.terms ?? []).map(ref),
    "skos:prefLabel": data.title,
  });

const storageOf = (retention) =>
  retention
    ? [{ "@type": "dpv:StorageDuration", "dpv:hasDuration": { "@value": retention, "@type": "xsd:duration" } }]
    : [];

async function noticesIn(scopes, names) {
  const notices = new Map();
  for (const { notice, legal_basis: basis } of scopes) {
    if (notice === undefined || notices.has(names.notice(notice))) {
      continue;
    }
    notices.set(names.notice(notice), {
      "@id": names.notice(notice),
      "@type": ASKED.includes(basis) ? "dpv:ConsentNotice" : "dpv:PrivacyNotice",
      "dct:identifier": notice.key,
      "byleave:version": notice.version,
      "dct:language": notice.language,
      "dct:description": { "@value": notice.text, "@language": notice.language },
      "byleave:sha256": hex(await sha256(utf8(notice.text))),
    });
  }
  return [...notices.values()];
}

const controllerOf = (proof, names) =>
  present({
    "@id": names.controller,
    "@type": "dpv:DataController",
    "dpv:hasName": proof.terms.controller.name,
    "dpv:hasAddress": proof.terms.controller.address,
    "dpv:hasContact": proof.terms.controller.email,
  });

function recipientsIn(scopes, names) {
  const recipients = new Map();
  for (const { recipient } of scopes) {
    if (!isEmpty(recipient) && !recipients.has(names.recipient(recipient))) {
      recipients.set(names.recipient(recipient), {
        "@id": names.recipient(recipient),
        "@type": "dpv:Recipient",
        "dpv:hasName": recipient.title ?? "",
      });
    }
  }
  return [...recipients.values()];
}

// --------------------------------------------------------------------------------------------------------- the verdict

// Says whether bytes are a receipt that holds: { outcome: "holds" | "refused" | "unchecked", step, why, proof }.
export async function verdict(bytes, keys) {
  try {
    const proof = await held(strictJson(bytes), keys);
    return { outcome: "holds", step: "", why: "", proof };
  } catch (stopped) {
    if (stopped instanceof Refused) {
      return { outcome: "refused", step: stopped.step, why: stopped.message, proof: null };
    }
    const step = stopped instanceof Unable ? stopped.step : "";
    return { outcome: "unchecked", step, why: stopped.message, proof: null };
  }
}

async function held(given, keys) {
  must("proof", isObject(given) && PROOF in given, "this is no receipt: it has no proof");
  const proof = proofOf(given[PROOF]);
  must("payload", inProfile(proof.payload, 0), "the payload is not of the form");
  const committed = await hmac(proof.salt, utf8(`byleave/commit/v1\0${canonical(proof.payload)}`));
  must("payload", same(committed, proof.commitment), "the entry commits to another payload");
  const recorded = base64url(await termsDigest(proof.terms));
  must("terms", recorded === proof.payload.terms, "the payload was recorded under other terms");
  const { [PROOF]: _, ...told } = given;
  must("readable", canonical(told) === canonical(await readable(proof)), "the readable part says something else");
  const { size, root } = await checkpointOf(proof.checkpoint, proof.log, keys);
  const leaf = await sha256([0], utf8(proof.body));
  await requireIncluded(leaf, BigInt(proof.seq), size, proof.path, root);
  return proof;
}

// ----------------------------------------------------------------------------------------------------------- the page

// Shows, of the elements that are marked with one name, only the one of a value.
function choose(root, name, value) {
  for (const each of root.querySelectorAll(`[data-${name}]`)) {
    each.hidden = each.getAttribute(`data-${name}`) !== value;
  }
}

function moment(at) {
  const parsed = new Date(at);
  const how = { dateStyle: "long", timeStyle: "medium", timeZone: "UTC" };
  const tongue = document.documentElement.lang === "en" ? "en-GB" : document.documentElement.lang;
  return Number.isNaN(parsed.getTime()) ? at : `${parsed.toLocaleString(tongue, how)} UTC`;
}

function titleOf(terms) {
  const parts = [terms.data, terms.channel, terms.recipient, terms.purpose].map((each) => (each ?? {}).title);
  return parts.filter((each) => each).join(", ") || terms.scope;
}

function scopeItem(terms) {
  const item = document.createElement("li");
  item.textContent = titleOf(terms);
  if (terms.notice) {
    const words = document.createElement("p");
    words.className = "wording";
    words.lang = terms.notice.language;
    words.textContent = terms.notice.text;
    item.append(words);
  }
  return item;
}

function fill(root, name, text) {
  const place = root.querySelector(`[data-fill="${name}"]`);
  place.textContent = text;
}

function tell(root, proof) {
  const { said, terms, payload } = proof;
  choose(root, "act", said.act);
  choose(root, "method", said.method);
  fill(root, "controller", terms.controller.name);
  fill(root, "customer", payload.customer);
  fill(root, "said", moment(said.said_at));
  fill(root, "recorded", moment(proof.at));
  fill(root, "entry", `${proof.log}/${proof.seq}`);
  root.querySelector("[data-scopes]").replaceChildren(...terms.scopes.map(scopeItem));
}

function showSteps(root, found) {
  const stopped = found.outcome === "holds" ? STEPS.length : Math.max(STEPS.indexOf(found.step), 0);
  for (const [spot, step] of STEPS.entries()) {
    const at = found.outcome === "unchecked" ? "unchecked" : "failed";
    const is = spot < stopped ? "passed" : spot === stopped ? at : "open";
    choose(root.querySelector(`[data-step="${step}"]`), "is", is);
  }
}

function show(root, found, name) {
  const result = root.querySelector("[data-result]");
  choose(result, "outcome", found.outcome);
  fill(result, "file", name);
  fill(result, "why", found.why);
  result.querySelector("[data-detail]").hidden = found.why === "";
  result.querySelector("[data-told]").hidden = found.outcome !== "holds";
  if (found.outcome === "holds") {
    tell(result, found.proof);
  }
  showSteps(result, found);
  result.hidden = false;
  result.dataset.done = String(Number(result.dataset.done) + 1);
}

// Without cryptography there is no telling whether a key is one; the receipt is looked at all the same, as far as that
// goes.
async function keysIn(text) {
  try {
    return (await verifierKeys(text)) ?? [];
  } catch (stopped) {
    return [];
  }
}

async function judged(file, keyText) {
  try {
    const bytes = new Uint8Array(await file.slice(0, LARGEST + 1).arrayBuffer());
    return await verdict(bytes, await keysIn(keyText));
  } catch (stopped) {
    return { outcome: "unchecked", step: "file", why: stopped.message, proof: null };
  }
}

function start(root) {
  const [input, key] = [root.querySelector("input[type=file]"), root.querySelector("textarea")];
  const zone = root.querySelector("[data-drop]");
  let file = null;
  let asked = 0;

  async function look() {
    if (file === null) {
      return;
    }
    asked += 1;
    const mine = asked;
    const found = await judged(file, key.value);
    if (mine === asked) {
      show(root, found, file.name);
    }
  }

  function take(files) {
    if (files.length > 0) {
      file = files[0];
      look();
    }
  }

  input.addEventListener("change", () => take(input.files));
  key.addEventListener("change", look);
  // Wherever on the page it is dropped: else the browser would leave the page and open the file.
  window.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  window.addEventListener("dragleave", () => zone.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(event.dataTransfer.files);
  });
  document.querySelector("[data-without-script]").hidden = true;
  root.hidden = false;
}

const here = document.querySelector("[data-verify]");
if (here) {
  start(here);
}
