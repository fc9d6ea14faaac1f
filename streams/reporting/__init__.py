"""The report: what a shop's customers are worth, where they come from and stay, and what its triggers bring.

Everything is read from the population's counters (`snapshot`), never from profiles, so a report of a million customers takes
as long as one of a thousand, and is the same from files as from the live stores. `document` puts the sections together, each
either figures or the reason why there are none; `page` shows them with plots, `streams.commands.report_tables` on a terminal.
"""
