using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Transport;

namespace Vfio.User.Requests;

/// <summary>
/// Waits for a socket on behalf of a transfer: until it is done without us, or its time is over. Used by whoever receives, one at a time.
/// </summary>
internal sealed class PumpWait(SafeFileHandle socket, WakeEvent wake) : ReceiveWait
{
    private Transfer? _transfer;
    private long _deadline;

    /// <summary>Says for what to wait.</summary>
    /// <param name="transfer">The transfer.</param>
    /// <param name="deadline">In <see cref="Environment.TickCount64"/>; its maximum for never.</param>
    public void Begin(Transfer transfer, long deadline)
    {
        _transfer = transfer;
        _deadline = deadline;
    }

    public override bool WaitReadable()
    {
        while (true)
        {
            // Cleared before the look: a wake-up that comes after it ends the poll.
            wake.Clear();
            if (_transfer!.IsDone)
                return false;
            var milliseconds = Poll.Infinite;
            if (_deadline != long.MaxValue)
            {
                var left = _deadline - Environment.TickCount64;
                if (left <= 0)
                    return false;
                milliseconds = (int)Math.Min(left, int.MaxValue);
            }

            if (Poll.Wait(socket, Libc.POLLIN, wake, milliseconds))
                return true;
        }
    }
}
