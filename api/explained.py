"""Every check in plain words: what it proves when it passes, and what it does not. For officers, reports and courts."""

from collections.abc import Mapping
from typing import Final

from api.checks import CHECKS
from consent.audit.findings import Check
from consent.audit.reports.content import Explained

_WORDS: Final[Mapping[str, Explained]] = {
    "ledger": Explained(
        "Each stored byte of the ledger is what it was when it was written: entries, tree, head, sealed payloads.",
        "That everything that happened was entered, or that what was entered is true.",
    ),
    "checkpoints": Explained(
        "Each signed statement about the ledger holds under the log's key, and agrees with the tree over the entries.",
        "That nothing was cut off behind the newest checkpoint: only whoever keeps one elsewhere can show that. Nor "
        "when one was signed: that is no part of what is signed.",
    ),
    "guards": Explained(
        "Each table in which nothing may be changed has the triggers that refuse it, now.",
        "That they were never switched off in between, or that nobody can switch them off.",
    ),
    "witness": Explained(
        "The witness, which has a memory of its own, knows the same ledger: nothing was rolled back or forked.",
        "Anything where the settings name no witness, or about entries after its newest cosignature.",
    ),
    "catalogue": Explained(
        "Each catalogue in use is the one that was published, and each scope has the bit number it was given then.",
        "That what the catalogue asks is lawful or well worded.",
    ),
    "notices": Explained(
        "Whoever agreed was shown a published wording, kept byte by byte as the ledger committed to it; or his yes is "
        "from elsewhere, to no wording of ours, and gives nothing.",
        "That he read or understood it.",
    ),
    "standing": Explained(
        "What the permission table says of each customer is exactly what follows from his own recorded words.",
        "That he said these words himself: that is the method's and the evidence's to show.",
    ),
    "expiry": Explained(
        "Each consent ends when the catalogue in force said so, counts no longer, and is asked for again in time.",
        "That the customer read the reminder.",
    ),
    "kept_without_use": Explained(
        "Nothing is kept that a customer does not permit to keep, or that no use is permitted of.",
        "That what is kept is correct, or that there are no copies outside of this system.",
    ),
    "keys": Explained(
        "Each data key opens under exactly one version of the wrapping key, none outlives an erasure, and each record "
        "of what is remembered of a customer opens under his own, in the place that it was sealed for; so do the texts "
        "of requests by right, and links that wait for the mail. The key that signs the log is the one that its last "
        "rotation handed over to.",
        "That nobody has copied a key, that what is remembered is correct, or that no record or text was deleted, or "
        "put back as it had been before.",
    ),
    "horizon": Explained(
        "By what the settings say, backups that could still open what was erased are gone within 30 days.",
        "That backups are kept as the settings say.",
    ),
    "erasures": Explained(
        "Of each customer who was erased nothing is found any more: no key, no payload, no memory, no address.",
        "That nobody copied anything before, or that other systems have erased him too.",
    ),
    "snapshot": Explained(
        "Nobody's word that the newest snapshot had counted has vanished since.",
        "Anything about words that came after that snapshot.",
    ),
    "processing": Explained(
        "Recorded uses of data are what the catalogue of their time declared, purpose by purpose.",
        "That what it declares is lawful, or that nothing is done past this system.",
    ),
    "contacts": Explained(
        "Each contact has the decision that made it and is what that made it, each decision that chose somebody or "
        "gave a ghost has its contact, and how each stands agrees with itself. Counted anew in the order of the "
        "ledger, nobody held out was reached, no cap, exclusion, order or rest was broken, each contact cost the "
        "goodwill that it had to, and each promise of terms was kept.",
        "Anything about what other systems send, or about customers who were erased since.",
    ),
    "commitments": Explained(
        "Each promise of terms is the one that its decision made, word for word and until then; and of each decision "
        "that promised something the promise stands, or a newer one of the same family.",
        "That the promise was kept, which is the check of contacts; promises to customers who were erased since.",
    ),
    "deferrals": Explained(
        "Whoever is to be decided about again was held back by a decision in the log, by a rule that it names, until "
        "a time that it names, or his message was released for it; and what came of it is a decision about him.",
        "That a rule of today would still hold him back, or that nobody is missing who should wait.",
    ),
    "replay": Explained(
        "Decisions of a sample, made again from what they were made from, come out bit for bit as they were logged; "
        "and what any was made from opens under its customer's key, as long as it is kept.",
        "That what they were made from was true; what is past its retention, or of customers erased since.",
    ),
    "dispatch": Explained(
        "Each message that was handed out to be sent was permitted at that moment, recomputed from its customer's own "
        "recorded words, its time to live was not over, and it was handed out after it was decided, at a time that the "
        "ledger's entries before and behind allow.",
        "That it was not some time between those two entries; that whoever carries messages sends no others, that what "
        "is said to have failed did fail (which only he can tell, and the ledger does not hold), or anything about "
        "customers who were erased since.",
    ),
    "price_parity": Explained(
        "In a sample of decisions, nobody's terms change, no offer opens or closes to him, and he is not left alone "
        "instead of getting terms, where he is given another customer's facts that no terms may depend on (and what is "
        "derived from their category), nor do his terms of a family of offers change with another's contact history. "
        "No wording of what has terms, among the policies that decided them, reads such a fact.",
        "That terms don't depend on such facts through what was derived outside and declared as something else; that "
        "two families of offers are two things; anything about customers erased since.",
    ),
    "goodwill": Explained(
        "Each account's balance is the sum of its entries, no credit lifted one above what it opened with, each "
        "contact that cost something is one of its entries, what never reached its customer was given back, and what "
        "counts as ignored was handed out, waited for, and booked once.",
        "That what goodwill was given back for really happened.",
    ),
    "wishes": Explained(
        "The limits and quiet hours that decisions go by are, customer by customer, those of the last entry in the "
        "ledger that tells of a change of his; of whoever was erased none stand.",
        "That he was asked, or heard rightly, when somebody else wrote them down.",
    ),
    "quotas": Explained(
        "Added up anew from the decisions, no campaign made more contacts than its volumes allow, nor spent more "
        "goodwill than its budget; who was refused for want of room was worth less than where it ended.",
        "That a volume fits what a call centre can do, or that a budget is a good one.",
    ),
    "campaigns": Explained(
        "Each campaign can still be read under the catalogue in force: nothing that it names is gone.",
        "That a campaign is a good one.",
    ),
    "audits": Explained(
        "Each earlier audit has the report that the ledger committed to, with all its findings and gaps. Each finding "
        "stands as its history says, an audit that passed over it is behind each resolution, and what people did about "
        "it is what the audits after that committed to.",
        "That what it found was acted on, or that what people did about a finding since the last audit is still there.",
    ),
    "packs": Explained(
        "Each evidence pack that was handed out is known as the ledger noted it, and its digest is that of its bytes; "
        "once these are no longer kept, it is the one that audits had seen before.",
        "Who has got a pack, or, of one that no audit saw while its bytes were kept, that its digest is still right.",
    ),
    "versions": Explained(
        "Each version of a campaign and of the contact policy has the bytes that its entry published, each entry has "
        "its version, and no version is there that nobody published.",
        "That what was published was right; and of campaigns from before the ledger told of them, that nobody changed "
        "the bytes and their hash together.",
    ),
    "approvals": Explained(
        "Each run was of a version that somebody had approved, a second person where one was demanded, under the rules "
        "that bound then; and what became of each campaign is what the ledger says.",
        "That whoever approved it had looked at it, or that the two were not one person under two names.",
    ),
    "marks": Explained(
        "Each mark that incremental audits go on from was made by a full audit that passed, and is in the ledger.",
        "Anything about what was not looked at since: a full audit does.",
    ),
    "uses": Explained(
        "Each recorded use of data has a decision or a written reason behind it.",
        "That data were not read past this system, or that a reason is a good one.",
    ),
    "requests": Explained(
        "No request by right is overdue: each was answered within its time, or extended with a reason; and each step "
        "is there as the ledger tells it: who it was assigned to, how it ended, and when.",
        "That the answers were complete, or that the words of a request were not emptied since.",
    ),
    "mergers": Explained(
        "Each id that was given up when two records were joined leads to the customer that the ledger says, and no "
        "other id leads anywhere.",
        "That the two records were of one person.",
    ),
    "suppressions": Explained(
        "The list of addresses to be left alone is the one in the ledger, and customers on it are marked.",
        "That nothing is sent past this system.",
    ),
    "clock": Explained(
        "No entry bears a time before that of the entry before it, or after now; machine and database agree.",
        "That the clock was right when the entries were written.",
    ),
    "decision_log": Explained(
        "Each decision is stored as the ledger committed to it when it was made.",
        "That every decision of the company was made by this system.",
    ),
    "decisions": Explained(
        "Each decision used only what its customer permitted at that moment, recomputed from his recorded words.",
        "That the decision was a good one.",
    ),
}


def explained(check: Check) -> Explained:
    """Return a check in plain words; of one that has none, what its title promises and nothing more."""
    return _WORDS.get(check.key, Explained(f"{check.title}.", "Anything beyond that."))


EXPLAINED: Final[Mapping[str, Explained]] = {check.key: explained(check) for check in CHECKS}
"""Every check that there is, in plain words."""
