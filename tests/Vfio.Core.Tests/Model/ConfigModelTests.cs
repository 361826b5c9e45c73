using FsCheck;
using FsCheck.Fluent;
using Microsoft.Win32.SafeHandles;

namespace Vfio.Core.Tests.Model;

/// <summary>Virtual configuration space against the byte-wise reference.</summary>
public sealed class ConfigModelTests
{
    [Fact]
    public void Any_sequence_of_configuration_accesses_equals_the_reference()
    {
        var count = int.TryParse(Environment.GetEnvironmentVariable("VFIO_MODEL_SEQUENCES"), out var asked) ? asked : 2500;
        var cases = Arb.From(Gen.Choose(int.MinValue, int.MaxValue).Select(ConfigCases.Random), ConfigCases.Shrink);
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(count), Prop.ForAll(cases, Run));
    }

    private static void Run(ConfigCase of)
    {
        var function = ModelHardware.Build(of);
        var core = new VfioPciCore(function);
        Assert.Equal(Errno.None, Enable(core).Error);
        try
        {
            var map = ReferenceMap.Of(function);
            if (map.IsAbsurd || !of.Describes(map))
            {
                Survive(core, of.Steps);
                return;
            }

            var model = new ConfigModel(function.Copy());
            var resets = function.Resets;
            foreach (var step in of.Steps)
            {
                Do(core, function, model, step);
                // Where the last of several transfers left the hardware's own VPD registers is nobody's business.
                if (function.VpdAt != 0)
                    function.Registers.AsSpan(function.VpdAt + 2, 6).CopyTo(model.Hardware.Registers.AsSpan(function.VpdAt + 2));
                Assert.True(model.MemoryEnabled == core.MemoryEnabled, $"after {step}: memory enabled {core.MemoryEnabled}");
                Assert.True(model.Resets == function.Resets - resets, $"after {step}: {function.Resets - resets} resets");
                if (!model.Hardware.Registers.AsSpan().SequenceEqual(function.Registers))
                    Assert.Fail($"after {step}: hardware at {Different(model, model.Hardware.Registers, function.Registers, 0)}");
            }

            Assert.True(model.Hardware.VpdStore.AsSpan().SequenceEqual(function.VpdStore), "VPD store");
            var expected = new byte[of.Size];
            var actual = new byte[of.Size];
            Assert.True(model.Read(0, expected));
            Assert.Equal(of.Size, core.Read(RegionIndex.Config, 0, actual).Value);
            if (!expected.AsSpan().SequenceEqual(actual))
                Assert.Fail($"the whole space, at {Different(model, expected, actual, 0)}");
        }
        finally
        {
            Close(core);
        }
    }

    // Hardware whose chains lead into the middle of things: there is no right answer, and there is one.
    private static void Survive(VfioPciCore core, ModelStep[] steps)
    {
        foreach (var step in steps)
        {
            var (offset, result, length) = step switch
            {
                ReadStep read => (read.Offset, core.Read(RegionIndex.Config, (ulong)read.Offset, new byte[read.Width]), read.Width),
                WriteStep write => (write.Offset, core.Write(RegionIndex.Config, (ulong)write.Offset, write.Data), write.Data.Length),
                _ => (0, 0, 0),
            };
            var size = core.GetRegionInfo(RegionIndex.Config).Value.Size;
            Assert.Equal((ulong)offset < size && (ulong)(offset + length) <= size ? length : Errno.EFAULT, result);
        }
    }

    private static void Do(VfioPciCore core, ModelFunction function, ConfigModel model, ModelStep step)
    {
        switch (step)
        {
            case ReadStep(var offset, var width):
                var expected = new byte[width];
                var actual = new byte[width];
                var isInside = model.Read(offset, expected);
                Assert.Equal(isInside ? width : Errno.EFAULT, core.Read(RegionIndex.Config, (ulong)offset, actual));
                if (!expected.AsSpan().SequenceEqual(actual))
                    Assert.Fail($"{step}: at {Different(model, expected, actual, offset)}");
                break;
            case WriteStep(var offset, var data):
                Assert.Equal(model.Write(offset, data) ? data.Length : Errno.EFAULT, core.Write(RegionIndex.Config, (ulong)offset, data));
                break;
            case MsiStep(var vectors):
                SetMsi(core, function, model, vectors);
                break;
            default:
                function.ForgetBars();
                model.Hardware.ForgetBars();
                break;
        }
    }

    private static void SetMsi(VfioPciCore core, ModelFunction function, ConfigModel model, int vectors)
    {
        var set = new IrqSet
        {
            Index = (uint)IrqIndex.Msi,
            Flags = (vectors == 0 ? IrqSetFlags.DataNone : IrqSetFlags.DataEventFd) | IrqSetFlags.ActionTrigger,
            Count = (uint)vectors,
            EventFds = new SafeFileHandle?[vectors],
        };
        var result = core.SetIrqs(set);
        var isPossible = vectors <= model.MsiVectors && model.MsiVectors > 0 && (vectors > 0 || model.Msi.IsActive);
        Assert.Equal(isPossible, result.IsSuccess);
        if (isPossible)
            model.SetMsi(vectors);
    }

    private static string Different(ConfigModel model, byte[] expected, byte[] actual, int from)
    {
        var at = expected.AsSpan().CommonPrefixLength(actual);
        var owner = model.Describe(from + at);
        return $"{from + at:x}: {actual[at]:x2} instead of {expected[at]:x2}, {owner.Access} {owner.Block}";
    }

    private static VfioResult Enable(VfioPciCore core)
    {
        var enabling = core.EnableAsync(new() { Dma = new DmaSpace() }, new NoHooks(), CancellationToken.None).AsTask();
        Assert.True(enabling.IsCompleted);
        return enabling.GetAwaiter().GetResult();
    }

    private static void Close(VfioPciCore core)
    {
        var closing = core.CloseAsync(ResetCause.Close).AsTask();
        Assert.True(closing.IsCompleted);
        closing.GetAwaiter().GetResult();
    }

    private sealed class NoHooks : IPciResetHooks
    {
        public void ResetPrepare(ResetCause cause)
        {
        }

        public void ResetDone(ResetCause cause)
        {
        }
    }
}
