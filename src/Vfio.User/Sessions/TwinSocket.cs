using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Requests;
using Vfio.User.Transport;

namespace Vfio.User.Sessions;

/// <summary>
/// The second socket of a client that offers it: the server's requests and their replies, apart from the client's commands.
/// </summary>
internal sealed class TwinSocket : IDisposable
{
    public unsafe TwinSocket(TimeProvider time)
    {
        var ends = stackalloc int[2];
        if (Libc.socketpair(Libc.AF_UNIX, Libc.SOCK_STREAM | Libc.SOCK_CLOEXEC, 0, ends) < 0)
            throw VfioException.FromLibc("socketpair");
        ClientEnd = new SafeFileHandle(ends[1], ownsHandle: true);
        Channel = new MessageChannel(new SafeFileHandle(ends[0], ownsHandle: true));
        Incoming = new Incoming(Channel, takesCommands: false, time);
    }

    public MessageChannel Channel { get; }

    public Incoming Incoming { get; }

    /// <summary>The end that goes to the client.</summary>
    public SafeFileHandle ClientEnd { get; }

    public void Dispose()
    {
        ClientEnd.Dispose();
        Incoming.Dispose();
        Channel.Dispose();
    }
}
