using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.Samples.Tests.Peers;

/// <summary>An interrupt's eventfd.</summary>
internal static class Interrupts
{
    private const int PatienceMilliseconds = 20_000;

    /// <summary>It comes, once.</summary>
    public static void AssertComes(SafeFileHandle eventFd)
    {
        Assert.True(new RawSocket(eventFd).WaitReadable(PatienceMilliseconds), "no interrupt");
        Assert.Equal(1u, EventFd.Consume(eventFd));
    }

    /// <summary>It has not come.</summary>
    public static void AssertSilent(SafeFileHandle eventFd) => Assert.Equal(0u, EventFd.Consume(eventFd));
}
