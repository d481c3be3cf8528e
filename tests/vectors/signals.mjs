// Makes tests/vectors/signals.json with the official JavaScript packages: strings, and what the packages themselves read
// in them. Not run by the tests. In an empty folder:
//
//     npm install @iabtechlabtcf/core@1.5.21 @iabgpp/cmpapi@3.2.0
//     node path/to/signals.mjs > path/to/signals.json
//
// Everything is made up: the vendor list, the choices (drawn from a seeded generator), the consent platform.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const here = (name) => import(pathToFileURL(createRequire(join(process.cwd(), "x.js")).resolve(name)).href);
const { GVL, TCModel, TCString, PurposeRestriction, RestrictionType, Segment } = await here("@iabtechlabtcf/core");
const { GppModel } = await here("@iabgpp/cmpapi");

let state = 20261121;
const draw = () => {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
};
const whole = (low, high) => low + Math.floor(draw() * (high - low + 1));
const some = (low, high, share) => Array.from({ length: high - low + 1 }, (_, spot) => low + spot).filter(() => draw() < share);

// ------------------------------------------------------------------------------------------------------------- TCF

const VENDORS = 400;
const named = (count) => Object.fromEntries(Array.from({ length: count }, (_, spot) => [spot + 1, { id: spot + 1, name: `n${spot + 1}`, description: "", illustrations: [] }]));
const vendors = Object.fromEntries(
  Array.from({ length: VENDORS }, (_, spot) => spot + 1).map((id) => [
    id,
    { id, name: `Vendor ${id}`, purposes: [1, 2, 3, 4, 5, 6, 9], legIntPurposes: [7, 8, 10], flexiblePurposes: [7, 8, 10], specialPurposes: [1], features: [], specialFeatures: [1, 2] },
  ]),
);
const list = (policy) =>
  new GVL({
    gvlSpecificationVersion: 3, vendorListVersion: 120, tcfPolicyVersion: policy, lastUpdated: "2026-01-01T00:00:00Z",
    purposes: named(11), specialPurposes: named(3), features: named(3), specialFeatures: named(2), stacks: {}, dataCategories: {}, vendors,
  });

// Ids as text: "1-5 7".
const text = (found) => {
  const ranges = [];
  for (const id of [...found].sort((one, other) => one - other)) {
    const last = ranges.at(-1);
    if (last && last[1] === id - 1) last[1] = id;
    else ranges.push([id, id]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(" ");
};
const ids = (vector) => {
  const found = [];
  vector.forEach((set, id) => set && found.push(id));
  return text(found);
};
const tcfFields = (string) => {
  const model = TCString.decode(string);
  const restrictions = {};
  for (const restriction of model.publisherRestrictions.getRestrictions()) {
    const key = `${restriction.purposeId}/${restriction.restrictionType}`;
    restrictions[key] = text(model.publisherRestrictions.getVendors(restriction));
  }
  const segments = string.split(".").slice(1).map((segment) => "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".indexOf(segment[0]) >> 3);
  return {
    created: model.created.toISOString(), updated: model.lastUpdated.toISOString(),
    cmp: model.cmpId, cmp_version: model.cmpVersion, screen: model.consentScreen, language: model.consentLanguage,
    vendor_list: model.vendorListVersion, policy: model.policyVersion, service_specific: model.isServiceSpecific,
    non_standard_texts: model.useNonStandardTexts, special_features: ids(model.specialFeatureOptins),
    consents: ids(model.purposeConsents), legitimate_interests: ids(model.purposeLegitimateInterests),
    purpose_one_treatment: model.purposeOneTreatment, country: model.publisherCountryCode,
    vendor_consents: ids(model.vendorConsents), vendor_legitimate_interests: ids(model.vendorLegitimateInterests),
    restrictions,
    disclosed: segments.includes(1) ? ids(model.vendorsDisclosed) : null,
    allowed: segments.includes(2) ? ids(model.vendorsAllowed) : null,
    publisher: segments.includes(3)
      ? {
          consents: ids(model.publisherConsents), legitimate_interests: ids(model.publisherLegitimateInterests),
          custom_purposes: model.numCustomPurposes, custom_consents: ids(model.publisherCustomConsents),
          custom_legitimate_interests: ids(model.publisherCustomLegitimateInterests),
        }
      : null,
  };
};

const tcf = [];
const tcfString = (name, { policy, share, restricted, custom, segments, top = VENDORS }) => {
  const model = new TCModel(list(policy));
  model.cmpId = whole(2, 4000);
  model.cmpVersion = whole(0, 4000);
  model.consentScreen = whole(0, 63);
  model.policyVersion = policy;
  model.isServiceSpecific = true;
  model.publisherCountryCode = ["DE", "FR", "AT", "ZZ"][whole(0, 3)];
  model.useNonStandardTexts = draw() < 0.5;
  model.purposeOneTreatment = draw() < 0.3;
  const day = Date.UTC(whole(2020, 2026), whole(0, 11), whole(1, 28));
  model.created = new Date(day);
  model.lastUpdated = new Date(day);
  model.specialFeatureOptins.set(some(1, 2, share));
  model.purposeConsents.set(some(1, 11, share));
  model.purposeLegitimateInterests.set(some(7, 10, share));
  model.vendorConsents.set(some(1, top, share));
  model.vendorLegitimateInterests.set(some(1, top, share));
  model.vendorsDisclosed.set(some(1, top, Math.max(share, 0.5)));
  model.vendorsAllowed.set(some(1, top, share));
  model.publisherConsents.set(some(1, 11, share));
  model.publisherLegitimateInterests.set(some(2, 11, share));
  model.numCustomPurposes = custom;
  model.publisherCustomConsents.set(some(1, custom, share));
  model.publisherCustomLegitimateInterests.set(some(1, custom, share));
  const kinds = [RestrictionType.NOT_ALLOWED, RestrictionType.REQUIRE_CONSENT, RestrictionType.REQUIRE_LI];
  for (let number = 0; number < restricted; number++) {
    // Only a flexible purpose can be moved to the other basis; any purpose can be forbidden.
    const restriction = new PurposeRestriction();
    restriction.restrictionType = kinds[number % 3];
    restriction.purposeId = number % 3 ? [7, 8, 10][whole(0, 2)] : whole(2, 10);
    for (const vendor of some(1, top, 0.02)) model.publisherRestrictions.add(vendor, restriction);
  }
  const string = TCString.encode(model, { segments });
  tcf.push({ name, string, fields: tcfFields(string) });
};

const { CORE, VENDORS_DISCLOSED, VENDORS_ALLOWED, PUBLISHER_TC } = Segment;
const all = [CORE, VENDORS_DISCLOSED, PUBLISHER_TC];
tcfString("2.3, everything refused", { policy: 5, share: 0, restricted: 0, custom: 0, segments: all });
tcfString("2.3, everything agreed to", { policy: 5, share: 1, restricted: 0, custom: 4, segments: all });
tcfString("2.3, a few vendors", { policy: 5, share: 0.5, restricted: 0, custom: 0, segments: all, top: 20 });
tcfString("2.3, sparse vendors, in ranges", { policy: 5, share: 0.02, restricted: 0, custom: 1, segments: all });
tcfString("2.3, publisher restrictions", { policy: 5, share: 0.6, restricted: 9, custom: 12, segments: all });
tcfString("2.3, without the publisher's purposes", { policy: 5, share: 0.7, restricted: 2, custom: 0, segments: [CORE, VENDORS_DISCLOSED] });
tcfString("2.3, without the vendors disclosed", { policy: 5, share: 0.7, restricted: 0, custom: 0, segments: [CORE] });
tcfString("2.3, segments in another order", { policy: 5, share: 0.4, restricted: 0, custom: 63, segments: [CORE, PUBLISHER_TC, VENDORS_DISCLOSED] });
tcfString("2.2, core only", { policy: 4, share: 0.5, restricted: 1, custom: 0, segments: [CORE] });
tcfString("2.2, with the publisher's purposes", { policy: 4, share: 0.8, restricted: 0, custom: 7, segments: [CORE, PUBLISHER_TC] });
tcfString("2.0, core only", { policy: 2, share: 0.3, restricted: 3, custom: 0, segments: [CORE] });
tcfString("2.0, with vendors disclosed and allowed", { policy: 2, share: 0.5, restricted: 0, custom: 2, segments: [CORE, VENDORS_DISCLOSED, VENDORS_ALLOWED, PUBLISHER_TC] });
for (let number = 1; number <= 20; number++) {
  tcfString(`drawn ${number}`, {
    policy: [2, 4, 5, 5][whole(0, 3)], share: draw(), restricted: whole(0, 5), custom: whole(0, 9),
    segments: [CORE, VENDORS_DISCLOSED, PUBLISHER_TC].slice(0, whole(1, 3)), top: [3, 60, VENDORS][whole(0, 2)],
  });
}

// ------------------------------------------------------------------------------------------------------------- GPP

const STATES = ["usnat", "usca", "usva", "usco", "usut", "usct", "usfl", "usmt", "usor", "ustx", "usde", "usia", "usne", "usnh", "usnj", "ustn", "usmn", "usmd", "usin", "usky", "usri"];
const VERSIONS = ["Version", "MspaVersion"];
const fill = (model, section) => {
  if (section === "uspv1") model.setFieldValue(section, "Notice", "Y");
  else model.setFieldValue(section, "SaleOptOut", 1);
  for (const [field, value] of Object.entries(model.getSection(section))) {
    if (VERSIONS.includes(field) || field.endsWith("SegmentType") || field.endsWith("SegmentIncluded")) continue;
    if (field === "Gpc") model.setFieldValue(section, field, draw() < 0.5);
    else if (field === "MspaCoveredTransaction") model.setFieldValue(section, field, whole(1, 2));
    else if (Array.isArray(value)) model.setFieldValue(section, field, value.map(() => whole(0, 2)));
    else if (section === "uspv1") model.setFieldValue(section, field, ["Y", "N", "-"][whole(0, 2)]);
    else model.setFieldValue(section, field, whole(0, 2));
  }
};

const gpp = [];
const gppString = (name, sections, change = () => {}) => {
  const model = new GppModel();
  for (const section of sections) {
    if (section === "tcfeuv2") {
      const { string } = tcf[whole(0, 6)];
      model.setFieldValue("tcfeuv2", "CmpId", 3);
      model.sections.get("tcfeuv2").decode(string);
    } else fill(model, section);
  }
  change(model);
  const string = model.encode();
  const read = new GppModel(string);
  const fields = {};
  for (const section of sections) if (section !== "tcfeuv2") fields[section] = read.getSection(section);
  gpp.push({ name, string, sections: read.getSectionIds(), fields, tcf: sections.includes("tcfeuv2") ? tcfFields(string.split("~")[1]) : null });
};

for (const section of [...STATES, "uspv1"]) {
  gppString(`${section} alone`, [section]);
  gppString(`${section} alone, again`, [section]);
}
gppString("the national section in version 1", ["usnat"], (model) => {
  model.setFieldValue("usnat", "Version", 1);
});
for (const section of ["usnat", "usca", "ustx", "usmd"]) {
  gppString(`${section} without Global Privacy Control`, [section], (model) => model.setFieldValue(section, "GpcSegmentIncluded", false));
}
for (const section of ["usin", "usky", "usri"]) {
  gppString(`${section} without sensitive data`, [section], (model) => model.setFieldValue(section, "SensitiveDataConsentSegmentIncluded", false));
}
gppString("the European framework alone", ["tcfeuv2"]);
gppString("the European framework and US Privacy", ["tcfeuv2", "uspv1"]);
gppString("sections in ranges", ["tcfeuv2", "uspv1", "usnat", "usca", "usva"]);
gppString("sections with gaps", ["uspv1", "usca", "usco", "usct", "ustx", "usnj", "usri"]);
gppString("everything", ["tcfeuv2", "uspv1", ...STATES]);

const made = { "made with": { "@iabtechlabtcf/core": "1.5.21", "@iabgpp/cmpapi": "3.2.0" }, tcf, gpp };
process.stdout.write(JSON.stringify(made, null, 0).replaceAll('{"name"', '\n{"name"') + "\n");
