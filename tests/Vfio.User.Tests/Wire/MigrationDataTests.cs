using System.Diagnostics;
using Vfio.User.Tests.Peers;

namespace Vfio.User.Tests.Wire;

public class MigrationDataTests
{
    private const uint Stop = 1, Running = 2, StopCopy = 3, Resuming = 4, PreCopy = 6;
    private const string FourBytes = "{\"capabilities\":{\"max_data_xfer_size\":4}}";

    [Fact]
    public async Task A_read_is_filled_and_padded_to_what_was_asked_and_ends_with_0()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Last = [1, 2, 3, 4, 5, 6, 7];
        using var client = server.Connect();
        client.SetState(StopCopy);
        Assert.Equal(Fields.Of(12u, 4u, (byte)1, (byte)2, (byte)3, (byte)4), client.Succeed(17, Fields.Of(12u, 4u)));

        // Over what is left of the reply before.
        client.ReadRegion(7, 0, 64);
        Assert.Equal(Fields.Of(11u, 3u, (byte)5, (byte)6, (byte)7, (byte)0, 0ul), client.Succeed(17, Fields.Of(20u, 12u)));
        Assert.Equal(Fields.Of(8u, 0u, 0ul), client.Succeed(17, Fields.Of(16u, 8u)));
        Assert.Equal(Fields.Of(8u, 0u, 0ul), client.Succeed(17, Fields.Of(16u, 8u)));
    }

    [Fact]
    [Trait("Trap", "39")]
    public async Task The_end_of_what_PRE_COPY_has_is_ENOMSG_and_the_stream_goes_on_in_STOP_COPY()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Initial = [1, 2, 3, 4, 5];
        server.Migration.Last = [6];
        using var client = server.Connect();
        client.SetState(PreCopy);
        Assert.Equal(Fields.Of(13u, 5u, (byte)1, (byte)2, (byte)3, (byte)4, (byte)5, (byte)0), client.Succeed(17, Fields.Of(14u, 6u)));
        client.Refuse(Errno.ENOMSG, 17, Fields.Of(12u, 4u));
        client.SetState(StopCopy);
        Assert.Equal((1, 1), server.Migration.Streams);
        Assert.Equal(Fields.Of(9u, 1u, (byte)6, (byte)0), client.Succeed(17, Fields.Of(10u, 2u)));
        Assert.Equal(Fields.Of(8u, 0u, (byte)0), client.Succeed(17, Fields.Of(9u, 1u)));
    }

    [Fact]
    public async Task Data_is_read_in_the_saving_states_alone_and_written_in_RESUMING_alone()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Initial = server.Migration.Last = [1, 2, 3, 4];
        using var client = server.Connect(FourBytes);
        foreach (var state in new[] { Running, Stop, StopCopy, Running, PreCopy, Stop, Resuming, Stop })
        {
            client.SetState(state);
            if (state is StopCopy or PreCopy)
                Assert.Equal(Fields.Of(12u, 4u, 0x04030201u), client.Succeed(17, Fields.Of(12u, 4u)));
            else
                client.Refuse(Errno.EINVAL, 17, Fields.Of(12u, 4u));
            if (state is Resuming)
                Assert.Empty(client.Succeed(18, Fields.Of(12u, 4u, 0x08070605u)));
            else
                client.Refuse(Errno.EINVAL, 18, Fields.Of(12u, 4u, 0u));
        }

        Assert.Equal<byte>([5, 6, 7, 8], server.Migration.Written);
        Assert.Equal((3, 0), server.Migration.Streams);
    }

    [Theory]
    [InlineData(Stop)]
    [InlineData(StopCopy)]
    [InlineData(Resuming)]
    [InlineData(PreCopy)]
    public async Task A_state_keeps_no_command_from_being_carried_out(uint state)
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        using var eventFd = TestFiles.EventFd();
        client.SetState(state);
        client.Succeed(2, TestClient.Map(0x1000, 0x1000));
        client.Succeed(3, TestClient.Unmap(0x1000, 0x1000));
        client.Succeed(8, Fields.Of(20u, 0x24u, 2u, 0u, 1u), eventFd);
        client.Succeed(4, Fields.Of(16u, 0u, 0u, 0u));
        client.ReadRegion(0, 0, 4);
        client.WriteRegion(0, 0, 1, 2, 3, 4);
        client.Succeed(13, []);
    }

    [Fact]
    public async Task What_is_malformed_or_more_than_the_client_takes_is_EINVAL_and_moves_nothing()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Last = [1, 2, 3, 4];
        using var client = server.Connect(FourBytes);
        client.SetState(StopCopy);
        client.Refuse(Errno.EINVAL, 17, Fields.Of(13u, 5u));
        client.Refuse(Errno.EINVAL, 17, Fields.Of(11u, 4u));
        client.Refuse(Errno.EINVAL, 17, Fields.Of(0xffffffffu, 0xffffffffu));
        client.Refuse(Errno.EINVAL, 17, Fields.Of(7u, 0xffffffffu));
        client.Refuse(Errno.EINVAL, 17, Fields.Of(12u, 4u).AsSpan(0, 7));
        client.Refuse(Errno.EINVAL, 17, []);
        Assert.Equal(Fields.Of(8u, 0u), client.Succeed(17, Fields.Of(8u, 0u)));
        Assert.Equal(Fields.Of(12u, 4u, 0x04030201u), client.Succeed(17, Fields.Of(12u, 4u)));
        client.SetState(Resuming);
        client.Refuse(Errno.EINVAL, 18, Fields.Of(13u, 5u, 0u, (byte)0));
        client.Refuse(Errno.EINVAL, 18, Fields.Of(11u, 4u, 0u));
        client.Refuse(Errno.EINVAL, 18, Fields.Of(12u, 4u));
        client.Refuse(Errno.EINVAL, 18, Fields.Of(12u, 4u, (byte)0, (ushort)0));
        client.Refuse(Errno.EINVAL, 18, Fields.Of(12u, 0xffffffffu, 0u));
        client.Refuse(Errno.EINVAL, 18, []);
        client.Succeed(18, Fields.Of(8u, 0u));
        Assert.Empty(server.Migration.Written);
    }

    [Fact]
    public async Task Data_that_the_device_refuses_is_its_errno()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.OnWrite = data => data[0] == 9 ? Errno.EBADMSG : VfioResult.Success;
        using var client = server.Connect();
        client.SetState(Resuming);
        client.Succeed(18, Fields.Of(9u, 1u, (byte)8));
        client.Refuse(Errno.EBADMSG, 18, Fields.Of(9u, 1u, (byte)9));
    }

    [Fact]
    [Trait("Trap", "39")]
    public async Task A_session_that_died_by_a_reset_is_ENODEV()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Inner.Device.OnReset = _ =>
        {
            server.Migration.Reset();
            return new(VfioResult.Success);
        };
        using var client = server.Connect();
        client.SetState(StopCopy);
        client.Succeed(13, []);
        client.Refuse(Errno.ENODEV, 17, Fields.Of(12u, 4u));
        client.SetState(Resuming);
        client.Succeed(13, []);
        client.Refuse(Errno.ENODEV, 18, Fields.Of(12u, 4u, 0u));
        client.SetState(Running);
        client.Refuse(Errno.EINVAL, 18, Fields.Of(12u, 4u, 0u));
        Assert.Equal((2, 0), server.Migration.Streams);
    }

    [Fact]
    [Trait("Trap", "38")]
    public async Task A_failed_step_keeps_the_stream_of_the_state_that_is_left()
    {
        await using var server = await MigratingServer.StartAsync();
        server.Migration.Initial = [1];
        using var client = server.Connect();
        client.SetState(PreCopy);
        server.Migration.OnSet = (_, _) => new(Errno.EBUSY);
        client.Refuse(Errno.EBUSY, 16, Fields.Of(16u, 2u | (1u << 17), StopCopy, -1));
        Assert.Equal(Fields.Of(9u, 1u, (byte)1), client.Succeed(17, Fields.Of(9u, 1u)));
        server.Migration.OnSet = (_, _) =>
        {
            server.Migration.State = MigrationState.Stop;
            return new(Errno.EIO);
        };
        client.Refuse(Errno.EIO, 16, Fields.Of(16u, 2u | (1u << 17), StopCopy, -1));
        client.Refuse(Errno.EINVAL, 17, Fields.Of(9u, 1u));
    }

    [Fact]
    [Trait("Trap", "43")]
    public async Task Precopy_information_gives_back_its_flags_until_the_second_version_is_asked_for()
    {
        await using var server = await MigratingServer.StartAsync();
        using var client = server.Connect();
        var ask = Fields.Of(24u, 0xdeadbeefu, 0ul, 0ul);
        client.Refuse(Errno.EINVAL, 19, []);
        client.Refuse(Errno.EINVAL, 19, ask);
        client.SetState(PreCopy);
        Assert.Equal(Fields.Of(24u, 0xdeadbeefu, 0x11ul, 0x22ul), client.Succeed(19, ask));
        client.Succeed(16, Fields.Of(8u, 12u | (1u << 17)));
        Assert.Equal(Fields.Of(24u, 1u, 0x11ul, 0x22ul), client.Succeed(19, ask));
        server.Migration.Precopy = new PrecopyInfo(0x33, 0);
        Assert.Equal(Fields.Of(24u, 0u, 0x33ul, 0ul), client.Succeed(19, Fields.Of(32u, 0xffu, 0ul, 0ul)));
        client.Refuse(Errno.EINVAL, 19, Fields.Of(23u, 0u, 0ul, 0ul));
        client.Refuse(Errno.EINVAL, 19, ask.AsSpan(0, 7));
        client.SetState(StopCopy);
        client.Refuse(Errno.EINVAL, 19, ask);
        client.SetState(Resuming);
        client.Refuse(Errno.EINVAL, 19, ask);
    }

    [Fact]
    public async Task What_waits_too_long_is_ETIMEDOUT_and_nothing_of_the_stream_is_lost()
    {
        await using var server = await MigratingServer.StartAsync(new() { ReplyDeadline = TimeSpan.FromMilliseconds(50) });
        server.Migration.Last = [1, 2, 3, 4];
        using var client = server.Connect();
        client.SetState(StopCopy);
        server.Migration.OnRead = cancellation => Task.Delay(Timeout.Infinite, cancellation);
        client.Refuse(Errno.ETIMEDOUT, 17, Fields.Of(12u, 4u));

        // Three bytes come, the fourth does not: they go back alone.
        var reads = 0;
        server.Migration.OnRead = cancellation => reads++ == 0 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, cancellation);
        Assert.Equal(Fields.Of(11u, 3u, 0x00030201u), client.Succeed(17, Fields.Of(12u, 4u)));
        server.Migration.OnRead = null;
        Assert.Equal(Fields.Of(9u, 1u, 0x00000004u), client.Succeed(17, Fields.Of(12u, 4u)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_read_that_hangs_ends_with_its_client_and_with_the_server(bool clientGoes)
    {
        await using var server = await MigratingServer.StartAsync(new() { ReplyDeadline = Timeout.InfiniteTimeSpan });
        var reading = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Migration.OnRead = cancellation =>
        {
            reading.TrySetResult();
            return Task.Delay(Timeout.Infinite, cancellation);
        };
        using (var client = server.Connect())
        {
            client.SetState(StopCopy);
            client.Send(17, Fields.Of(12u, 4u));
            await reading.Task;
            if (!clientGoes)
            {
                await server.Inner.StopAsync();
                return;
            }
        }

        var watch = Stopwatch.StartNew();
        server.Inner.AssertServesNext();
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(5), $"the next client waited {watch.Elapsed}");
    }

    [Fact]
    public async Task What_a_device_throws_when_it_is_given_up_costs_it_nothing()
    {
        await using var server = await MigratingServer.StartAsync(new() { ReplyDeadline = TimeSpan.FromMilliseconds(50) });
        server.Migration.Last = [1];
        server.Migration.OnRead = async cancellation =>
        {
            using var thrower = cancellation.Register(() => throw new InvalidOperationException("a test's"));
            await Task.Delay(Timeout.Infinite, cancellation);
        };
        using var client = server.Connect();
        client.SetState(StopCopy);
        client.Refuse(Errno.ETIMEDOUT, 17, Fields.Of(12u, 4u));
        server.Migration.OnRead = _ => Task.CompletedTask;
        Assert.Equal(Fields.Of(9u, 1u, 1u), client.Succeed(17, Fields.Of(12u, 4u)));
    }

    [Fact]
    public async Task A_state_that_is_never_reached_is_given_up_when_the_client_goes()
    {
        await using var server = await MigratingServer.StartAsync();
        var setting = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        server.Migration.OnSet = async (_, cancellation) =>
        {
            setting.TrySetResult();
            await Task.Delay(Timeout.Infinite, cancellation);
            return VfioResult.Success;
        };
        using (var client = server.Connect())
        {
            client.Send(16, Fields.Of(16u, 2u | (1u << 17), StopCopy, -1));
            await setting.Task;
        }

        server.Inner.AssertServesNext();
    }
}
