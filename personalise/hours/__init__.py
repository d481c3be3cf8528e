"""PURE: the hours at which a customer may be reached.

Rules of hours (of law, of the company, of the customer himself) are judged on an instant, from UTC to the local time
of every place where the customer may be. It knows nothing of campaigns, stores or clocks; the only files it reads are
shipped ones: the `packs` of jurisdictions, the calling codes, and the time zones of the `tzdata` wheel.

`model` has the values, `holidays` the days, `zones` and `telephone` what is known of places, `whereabouts` a customer's
place, `judging` the answer, `reading` the files' form.
"""
