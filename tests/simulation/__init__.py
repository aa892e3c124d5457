"""The whole service in one process, on virtual time, from one seed; and the laws that must hold whatever happened.

    weather   what goes wrong, and how often          loop      virtual time; the processes that tasks belong to
    bucket    the store; a connection that fails      chance    ids, keys and a stand-in for sealing, from the seed
    node      a machine: real storage, real commands  feed      news that come late or not
    phone     what a phone has, does and is told      errands   its moves, folders and outgoing mail
    mails     Postfix, which tries until 250          outgoing  the mail server that takes what phones send
    desk      changes by no phone                     upkeep    checkpoints, collections, memory given back
    world     who begins what, and how it ends        line      requests and answers that get lost, twice, late

    truth     everything durable, folded as it became so; every deletion is judged at the moment it happens
    ledger    who was told that his change is done    reach     what is garbage, found without the collector
    laws      what must hold at rest                  noise     what the product may not log

    runner    one seed          campaign   many of them, going on where they were          mutations   rules broken

What is simulated is the product as it is: its commands answer typed requests, its writers, checkpoints and collector
run on an engine on which any call may stall for days, fail with an effect that comes later, or be the process's last.
Times are true to life: histories last weeks, a month passes before garbage is counted, clocks are up to four hours off.
`plan/` holds an older and smaller world: the planner alone, without failing stores, in which phones add to any folder.
"""
