using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Win32.SafeHandles;
using Vfio.Core.Tests.Interrupts;
using Vfio.Core.Tests.Scripted;
using Vfio.Native;

namespace Vfio.Core.Tests.Model;

/// <summary>SET_IRQS against a model of it, with real eventfds.</summary>
[Collection(nameof(IrqModelTests))]
[CollectionDefinition(nameof(IrqModelTests), DisableParallelization = true)]
public sealed class IrqModelTests
{
    private const int Vectors = 4;

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void No_sequence_of_requests_leaks_a_descriptor_or_signals_a_detached_one(bool isExpress, bool isDynamic)
        => Check.One(
            FsCheck.Config.QuickThrowOnFailure.WithMaxTest(50),
            Prop.ForAll(IrqSteps.All, steps => new Run(isExpress, isDynamic).Through(steps)));

    private sealed class Run
    {
        private readonly ScriptedFunction _function;
        private readonly IrqModel _model;
        private readonly SafeFileHandle[] _eventFds = [.. Enumerable.Range(0, IrqSteps.EventFdCount).Select(_ => EventFd.Create())];
        private readonly HashSet<string> _ids;

        // Referenced to the end: no finalizer closes what the device forgot.
        private readonly List<SafeFileHandle> _given = [];
        private OpenDevice _device;

        public Run(bool isExpress, bool isDynamic)
        {
            var hardware = new Hardware();
            if (isExpress)
                hardware.Express();
            hardware.Msi(0x0084);
            hardware.Msix(Vectors, 0, 0x800);
            _function = new(hardware.Bytes);
            (_function.Lines.Msi, _function.Lines.Msix, _function.Lines.DynamicMsix) = (Vectors, Vectors, isDynamic);
            _model = new(Vectors, isExpress, isDynamic);
            _ids = [.. _eventFds.Select(fd => Id((int)fd.DangerousGetHandle())!)];
            _device = Open();
        }

        public void Through(IrqStep[] steps)
        {
            try
            {
                foreach (var step in steps)
                {
                    Do(step);
                    Verify(step.ToString()!, step is SetStep or SignalUnmaskStep);
                }

                _device.CloseAsync(ResetCause.ClientLost).AsTask().GetAwaiter().GetResult();
                _model.Close();
                Verify("close");
                Assert.All(_given, handle => Assert.True(handle.IsClosed));
            }
            finally
            {
                _device.CloseAsync(ResetCause.Close).AsTask().GetAwaiter().GetResult();
                Array.ForEach(_eventFds, eventFd => eventFd.Dispose());
            }
        }

        private void Do(IrqStep step)
        {
            switch (step)
            {
                case SetStep set:
                    Set(set);
                    break;
                case FireStep fire:
                    _function.Lines.Fire(fire.Vector);
                    _model.Fire((int)(_function.Lines.Enabled ?? (IrqIndex)(-1)), fire.Vector);
                    break;
                case LineStep line:
                    _function.Lines.SetAsserted(line.Asserted);
                    _model.SetLine(line.Asserted);
                    break;
                case DisableStep disable:
                    _device.WriteConfig(4, 2, disable.Disabled ? 0x402u : 2);
                    _model.SetDisabled(disable.Disabled);
                    break;
                case SignalUnmaskStep:
                    SignalUnmask();
                    break;
                case ObtainableStep obtainable:
                    _function.Lines.Obtainable = _model.Obtainable = obtainable.Vectors;
                    break;
                case ReleaseStep:
                    _device.RequestRelease(0);
                    _model.RequestRelease();
                    break;
                case ResetStep:
                    var resetting = _device.ResetAsync(ResetCause.DeviceReset, CancellationToken.None).AsTask();
                    Assert.Equal(Errno.None, resetting.GetAwaiter().GetResult().Error);
                    break;
                default:
                    _device.CloseAsync(ResetCause.Close).AsTask().GetAwaiter().GetResult();
                    _model.Close();
                    Verify("close");
                    _device = Open();
                    break;
            }
        }

        private void Set(SetStep step)
        {
            var handles = new SafeFileHandle?[step.Descriptors.Length];
            for (var i = 0; i < handles.Length; i++)
            {
                var first = Array.IndexOf(step.Descriptors, step.Descriptors[i]);
                handles[i] = step.SameHandle && first < i ? handles[first] : Make(step.Descriptors[i]);
            }

            _given.AddRange(handles.OfType<SafeFileHandle>());
            var result = _device.SetIrqs(new()
            {
                Index = step.Index,
                Flags = (IrqSetFlags)step.Flags,
                Start = step.Start,
                Count = step.Count,
                EventFds = handles,
                Bools = step.Bools,
            });
            var expected = _model.Set(step, [.. handles.Select(handle => handle ?? new object())]);
            Assert.Equal(expected, result.IsSuccess ? result.Value : -(int)result.Error);
        }

        private void SignalUnmask()
        {
            if (_model.UnmaskEventFd is not { } unmask)
                return;
            Assert.True(EventFd.Signal(_eventFds[unmask]));
            // It is consumed before it unmasks; taking it away waits for the thread that does both.
            Assert.True(SpinWait.SpinUntil(() => Info((int)_eventFds[unmask].DangerousGetHandle(), "eventfd-count") == "0", 10_000));
            Assert.Equal(0, _device.Unmask(null));
            _model.SignalUnmask();
        }

        private void Verify(string after, bool changes = true)
        {
            for (var i = 0; i < _eventFds.Length; i++)
            {
                var count = EventFd.Consume(_eventFds[i]);
                Assert.True((ulong)_model.Signals[i] == count, $"after {after}: eventfd {i} received {count}, not {_model.Signals[i]}");
            }

            Array.Clear(_model.Signals);
            if (!changes)
                return;
            var open = Directory.EnumerateFiles("/proc/self/fd")
                .Select(path => int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture))
                .Count(fd => Id(fd) is { } id && _ids.Contains(id));
            var expected = _eventFds.Length + _model.Kept.Count;
            Assert.True(expected == open, $"after {after}: {open} descriptors, not {expected}");
        }

        private OpenDevice Open() => OpenDevice.Open(_function).GetAwaiter().GetResult();

        private SafeFileHandle? Make(Descriptor descriptor)
        {
            switch (descriptor)
            {
                case Descriptor.None:
                    return null;
                case Descriptor.Closed:
                    var closed = Requests.Duplicate(_eventFds[0]);
                    closed.Dispose();
                    return closed;
                case Descriptor.Other:
                    return File.OpenHandle("/dev/null");
                default:
                    return Requests.Duplicate(_eventFds[descriptor - Descriptor.First]);
            }
        }

        private static string? Id(int descriptor)
            => new FileInfo($"/proc/self/fd/{descriptor}").LinkTarget == "anon_inode:[eventfd]" ? Info(descriptor, "eventfd-id") : null;

        private static string? Info(int descriptor, string field)
        {
            try
            {
                var lines = File.ReadAllLines($"/proc/self/fdinfo/{descriptor}");
                return Array.Find(lines, line => line.StartsWith(field, StringComparison.Ordinal))?.Split(':')[1].Trim();
            }
            catch (IOException)
            {
                // Closed meanwhile, by somebody else: none of ours.
                return null;
            }
        }
    }
}
