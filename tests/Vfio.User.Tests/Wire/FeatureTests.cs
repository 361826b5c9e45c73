using Microsoft.Win32.SafeHandles;
using Vfio.Native;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class FeatureTests
{
    private const uint Get = 1 << 16, Set = 1 << 17, Probe = 1 << 18;

    [Fact]
    public async Task A_feature_that_is_absent_is_ENOTTY_and_a_request_that_cannot_be_EINVAL()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        foreach (var id in new uint[] { 0, 1, 2, 3, 6, 7, 8, 9, 11, 12, 0xffff })
        {
            client.Refuse(Errno.ENOTTY, 16, Fields.Of(16u, id | Get, 0ul));
            client.Refuse(Errno.ENOTTY, 16, Fields.Of(8u, id | Probe | Get | Set));
        }

        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 1u | Get | Set, 0ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 1u | Get | (1u << 19), 0ul));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(2u, 1u | Get));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(0xffffffffu, 1u | Get));
        client.Refuse(Errno.EINVAL, 16, []);
    }

    [Fact]
    public async Task A_probe_gets_its_own_bytes_back()
    {
        await using var server = await RunningServer.StartAsync();
        server.Device.OnFeature = (request, input, _) =>
        {
            var check = request.Check(FeatureOperation.Get, input.Length, 8);
            return check.IsSuccess ? 0 : check.Error;
        };
        using var client = server.Connect();
        var probe = Fields.Of(8u, 5u | Probe | Get);
        Assert.Equal(probe, client.Succeed(16, probe));
        probe = Fields.Of(16u, 5u | Probe, 0x55ul);
        Assert.Equal(probe, client.Succeed(16, probe));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(8u, 5u | Probe | Set));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(8u, 5u | Get));
    }

    [Fact]
    public async Task Get_returns_the_data_and_set_the_request()
    {
        await using var server = await RunningServer.StartAsync();
        byte[] seen = [];
        server.Device.OnFeature = (request, input, output) =>
        {
            seen = input;
            if (request.Operation == FeatureOperation.Set)
                return 0;
            if (output.Length < 8)
                return Errno.EINVAL;
            Fields.Of(0x1122334455667788ul).CopyTo(output, 0);
            return 8;
        };
        using var client = server.Connect();
        Assert.Equal(Fields.Of(16u, 5u | Get, 0x1122334455667788ul), client.Succeed(16, Fields.Of(64u, 5u | Get)));
        Assert.Equal(Fields.Of(16u, 5u | Get, 0x1122334455667788ul), client.Succeed(16, Fields.Of(16u, 5u | Get, 1ul)));
        client.Refuse(Errno.EINVAL, 16, Fields.Of(15u, 5u | Get, 1ul));
        Assert.Equal(7, seen.Length);
        Assert.Equal(Fields.Of(16u, 5u | Set, 0xabul), client.Succeed(16, Fields.Of(16u, 5u | Set, 0xabul)));
        Assert.Equal(Fields.Of(0xabul), seen);
    }

    [Fact]
    public async Task A_descriptor_that_comes_along_is_lent_to_the_device()
    {
        await using var server = await RunningServer.StartAsync();
        SafeFileHandle? lent = null;
        server.Device.OnFeature = (request, _, _) =>
        {
            lent = request.EventFd;
            return lent is null || EventFd.Signal(lent) ? 0 : Errno.EINVAL;
        };
        using var client = server.Connect();
        using var eventFd = EventFd.Create();

        client.Succeed(16, Fields.Of(16u, 4u | Set, 42u, 0u), eventFd);
        Assert.Equal(1ul, EventFd.Consume(eventFd));
        Assert.True(lent!.IsClosed);
        client.Succeed(16, Fields.Of(16u, 4u | Set, 42u, 0u));
        Assert.Null(lent);
        client.Refuse(Errno.EINVAL, 16, Fields.Of(16u, 4u | Set, 42u, 0u), eventFd, eventFd);
    }

    [Fact]
    public async Task Migration_data_without_a_session_is_ENOTTY()
    {
        await using var server = await RunningServer.StartAsync();
        using var client = server.Connect();
        client.Refuse(Errno.ENOTTY, 17, Fields.Of(12u, 4u));
        client.Refuse(Errno.ENOTTY, 18, Fields.Of(12u, 4u, 0u));
        client.Refuse(Errno.EINVAL, 17, Fields.Of(12u, (byte)4, (ushort)0));
        client.Refuse(Errno.EINVAL, 17, Fields.Of(12u, (1u << 20) + 1));
        client.Refuse(Errno.EINVAL, 18, Fields.Of(12u, 4u));
        client.Refuse(Errno.EINVAL, 18, Fields.Of(12u, 0xffffffffu, 0u));
    }
}
