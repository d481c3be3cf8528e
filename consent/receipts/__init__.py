"""Receipts: what a customer takes home of what he said, in words that machines read too, and the proof of it.

A receipt is JSON-LD in the shape of ISO/IEC TS 27560 and DPV 2.3. Its readable part is a pure function of its proof
(`document`): the entry's exact bytes, the payload that the entry commits to, and the terms that the payload names by
their hash (`form`). Whoever verifies one (`checking`) writes the readable part again and accepts no other, so nothing
in it can be changed, left out or added. A receipt carries all that this takes: it needs no database, no network and no
catalogue, and outlives the erasure of what it tells of.

Receipts aren't stored. One is made anew whenever it is asked for (`issuing`), under the oldest checkpoint that covers
its entry; all that goes into it never changes, so it comes out the same each time.
"""
