namespace Vfio.User.Transport;

/// <summary>What came of receiving.</summary>
internal enum ReceiveStatus
{
    /// <summary>A whole message.</summary>
    Message,

    /// <summary>Whoever waited gave up; what has come of the message so far is kept, and anyone may go on.</summary>
    Interrupted,

    /// <summary>The other side has closed, or the socket was shut down.</summary>
    EndOfStream,

    /// <summary>A header whose size cannot be: where the next message begins is unknown.</summary>
    Malformed,

    /// <summary>Descriptors were lost on the way (MSG_CTRUNC), or the socket failed.</summary>
    Broken,
}

/// <summary>How to wait for a socket to become readable where a receive that blocks would not do.</summary>
internal abstract class ReceiveWait
{
    /// <summary>Waits.</summary>
    /// <returns>False: give up.</returns>
    public abstract bool WaitReadable();
}
