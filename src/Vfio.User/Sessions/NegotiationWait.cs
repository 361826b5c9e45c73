using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Transport;

namespace Vfio.User.Sessions;

/// <summary>Waits for a client that has not negotiated yet, and not for ever: it keeps others from being served.</summary>
internal sealed class NegotiationWait(SafeFileHandle socket, TimeSpan limit, TimeProvider time) : ReceiveWait
{
    private readonly long _start = time.GetTimestamp();

    public override bool WaitReadable()
    {
        while (true)
        {
            var milliseconds = Poll.Infinite;
            if (limit != Timeout.InfiniteTimeSpan)
            {
                var left = limit - time.GetElapsedTime(_start);
                if (left <= TimeSpan.Zero)
                    return false;
                milliseconds = (int)Math.Min(Math.Ceiling(left.TotalMilliseconds), int.MaxValue);
            }

            if (Poll.Wait(socket, Libc.POLLIN, null, milliseconds))
                return true;
        }
    }
}
