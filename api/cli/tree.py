"""The commands, in the order of the work: set up, ask, decide, prove, look after."""

from typing import Final

import click

from api.cli.root import Lazy, Root

COMMANDS: Final = {
    "init": Lazy("api.cli.setup:init", "Found a deployment: folder, keyring, database, ledger, catalogue."),
    "demo": Lazy("api.cli.demo:demo", "Make a sample shop and run the whole story on it."),
    "serve": Lazy("api.cli.serve:serve", "Serve pages and API."),
    "worker": Lazy("api.cli.serve:worker", "Run what is due: audits, checkpoints, runs."),
    "doctor": Lazy("api.cli.doctor:doctor", "Say what is well here and what needs attention."),
    "db": Lazy("api.cli.database:db", "The database: schema, backups, roles."),
    "vault": Lazy("api.cli.vault:vault", "The key that wraps every customer's data key."),
    "openapi": Lazy("api.cli.serve:openapi", "Print the API's description (OpenAPI 3.1)."),
    "catalogue": Lazy("api.cli.catalogue:catalogue", "What may be asked of customers, in which words."),
    "permission": Lazy("api.cli.permission:permission", "What customers say, and what stands."),
    "customer": Lazy("api.cli.customer:customer", "Customers, and links for them."),
    "request": Lazy("api.cli.requests:request", "What customers ask for by right, and by when."),
    "suppression": Lazy("api.cli.erasing:suppression", "Addresses that are left alone, whoever has them."),
    "import": Lazy("api.cli.importing:bring_in", "Bring in files: customers, statements, outcomes."),
    "campaign": Lazy("api.cli.campaign:campaign", "Check, publish, dry-run, run and measure campaigns."),
    "contact-policy": Lazy(
        "api.cli.contact_policy:contact_policy", "How often, by what and at what price customers are contacted."
    ),
    "goodwill": Lazy(
        "api.cli.goodwill:goodwill",
        "A customer's account of goodwill: complaints, thanks, and all that is booked in it.",
    ),
    "decide": Lazy("api.cli.decide:decide", "Decide for one customer, now."),
    "decision": Lazy("api.cli.decide:decision", "Decisions that were made: their funnel, and their replay."),
    "ledger": Lazy("api.cli.ledger:ledger", "Verify the ledger, and prove what is in it."),
    "witness": Lazy(
        "api.cli.witness:witness", "The ledger's second memory: a process of its own, never restored with the ledger."
    ),
    "audit": Lazy("api.cli.audit:audit", "Find out whether every use was allowed."),
    "finding": Lazy("api.cli.finding:finding", "What audits found, and what is being done about it."),
    "report": Lazy("api.cli.report:report", "Reports of audits, to be handed over."),
    "key": Lazy("api.cli.keys:key", "Keys of programs that call the API."),
    "user": Lazy("api.cli.keys:user", "People who work with this deployment."),
}
"""What each is called, where it lies, and its line in `byleave --help`."""


@click.group(cls=Root, lazy=COMMANDS, no_args_is_help=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="byleave", message="%(package)s %(version)s")
def byleave() -> None:
    """Byleave: personalisation by your leave.

    Exit codes: 0 ok, 1 findings or refused, 2 usage, 3 could not check.
    """
