"""Every error that mpikernel raises, in one tree. Nothing else in the package defines an exception.

    MpikernelError                     everything below; catch this to catch us and nobody else
     |- UsageError (ValueError)        the command line or a call's arguments are wrong; nothing has been changed
     |- ConfigError (ValueError)       mpikernel.conf or the environment holds a value that its spec refuses
     |- LaunchError (RuntimeError)     the way the world was started cannot work
     |- NoWorldError (RuntimeError)    a client was asked for outside any world
     |- NoEnginesError (LookupError)   a view names an engine that is not there, or no engine at all
     |- SerializeError (TypeError)     an object cannot be pickled, or not be rebuilt where it is needed
     |- LedgerError (OSError)          the ledger cannot be opened, read or written
     |- ClosedError (RuntimeError)     the client, or the world under it, is closed
     |- ProtocolError (RuntimeError)
     |   |- OurProtocolError           this rank was about to break the protocol: a defect in mpikernel
     |   `- PeerProtocolError          another rank broke it; names the rank
     |- TaskAborted (CancelledError)   the call was cancelled before it began, or the world ended before it could
     |- RemoteError (RuntimeError)     stands for an exception that could not be rebuilt here
     |   `- RemoteTraceback            the cause of an exception that came from an engine: its traceback as text
     `- CompositeError (ExceptionGroup) what went wrong on several engines
"""

from __future__ import annotations
