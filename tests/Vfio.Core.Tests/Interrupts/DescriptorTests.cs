using FsCheck;
using FsCheck.Fluent;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Interrupts;

[Collection(nameof(DescriptorTests))]
[CollectionDefinition(nameof(DescriptorTests), DisableParallelization = true)]
public sealed class DescriptorTests
{
    [Fact]
    public void No_sequence_of_requests_leaks_a_descriptor_or_signals_a_detached_one()
    {
        var request = from index in Gen.Choose(0, 5)
                      from data in Gen.Elements(0u, 1u, 2u, 4u, 4u, 4u, 6u)
                      from action in Gen.Elements(0u, 8u, 0x10u, 0x20u, 0x20u, 0x20u, 0x30u)
                      from start in Gen.Choose(0, 3)
                      from fds in Gen.Choose(0, 3).ListOf(3)
                      from count in Gen.Choose(0, 4)
                      select new Request(index, data | action, start, count, [.. fds]);
        var before = Descriptors();
        Check.One(
            FsCheck.Config.QuickThrowOnFailure.WithMaxTest(150),
            Prop.ForAll(request.ListOf(25).ToArbitrary(), requests => Run([.. requests]).GetAwaiter().GetResult()));
        Assert.Equal(before, Descriptors());
    }

    [Fact]
    public async Task A_closed_device_closes_what_it_is_given()
    {
        var eventFd = EventFd.Create();
        var device = OpenDevice.Closed(Function());

        Assert.Equal(-(int)Errno.EINVAL, device.Trigger(IrqIndex.Msix, 0, eventFd));
        Assert.True(eventFd.IsClosed);
        await device.CloseAsync(ResetCause.Close);
    }

    private static async Task Run(List<Request> requests)
    {
        var function = Function();
        var given = new List<SafeFileHandle>();
        var mine = new List<SafeFileHandle>();
        var device = await OpenDevice.Open(function);
        foreach (var request in requests)
        {
            var eventFds = request.Fds.Select(kind => kind switch { 0 => null, 1 => Closed(), _ => Requests.Duplicate(Client(mine)) }).ToArray();
            given.AddRange(eventFds.OfType<SafeFileHandle>());
            device.SetIrqs(new()
            {
                Index = (uint)request.Index, Flags = (IrqSetFlags)request.Flags, Start = (uint)request.Start, Count = (uint)request.Count,
                EventFds = eventFds, Bools = [1, 0, 1],
            });
        }

        await device.CloseAsync(ResetCause.ClientLost);
        Assert.All(given, g => Assert.True(g.IsClosed));
        mine.ForEach(m => EventFd.Consume(m));
        for (var i = 0; i < 4; i++)
            function.Lines.Fire(i);
        function.Lines.SetAsserted(true);
        Assert.All(mine, m => Assert.Equal(0ul, EventFd.Consume(m)));
        mine.ForEach(m => m.Dispose());
    }

    private static SafeFileHandle Client(List<SafeFileHandle> mine)
    {
        mine.Add(EventFd.Create());
        return mine[^1];
    }

    private static SafeFileHandle Closed()
    {
        var eventFd = EventFd.Create();
        eventFd.Dispose();
        return eventFd;
    }

    private static ScriptedFunction Function()
    {
        var hardware = new Hardware();
        hardware.Express();
        hardware.Msi(0x0084);
        hardware.Msix(4, 0, 0x800);
        var function = new ScriptedFunction(hardware.Bytes);
        function.Lines.Msi = 4;
        function.Lines.Msix = 4;
        return function;
    }

    // Only eventfds: the test host opens and closes files of its own meanwhile.
    private static int Descriptors()
        => new DirectoryInfo("/proc/self/fd").GetFiles().Count(f => f.LinkTarget == "anon_inode:[eventfd]");

    private sealed record Request(int Index, uint Flags, int Start, int Count, int[] Fds);
}
